#include "server/policy/deciding_rule.h"

#include <utility>

#include "absl/strings/match.h"

namespace gatehouse::policy {

std::string DecidingRule(const Policy& policy, const Principal& principal, const Question& question,
                         Code code) {
  const bool allowed = code == Code::kOk;
  const absl::string_view why = allowed ? "" : policy.WhyDenied(principal, question);
  if (!allowed && why != kARuleDenies) return std::string(why);
  for (RuleVerdict& rule : policy.Explain(principal, question)) {
    const bool allows = absl::StartsWith(rule.rule, "allow");
    if (allows != allowed) continue;
    if (allows ? rule.truth == Truth::kTrue : rule.truth != Truth::kFalse) {
      return std::move(rule.rule);
    }
  }
  return allowed ? "the subject is the owner" : std::string(why);
}

}  // namespace gatehouse::policy
