#include "server/policy/deciding_rule.h"

#include "absl/strings/string_view.h"

namespace gatehouse::policy {

std::string DecidingRule(const Policy& policy, const Principal& principal, const Question& question,
                         Code code) {
  if (code == Code::kOk) {
    std::string rule = policy.FirstThatAllows(principal, question);
    return rule.empty() ? "the subject is the owner" : rule;
  }
  const absl::string_view why = policy.WhyDenied(principal, question);
  return why == kARuleDenies ? policy.FirstThatDenies(principal, question) : std::string(why);
}

}  // namespace gatehouse::policy
