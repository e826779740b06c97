#include "server/policy/claims_of.h"

#include <set>

namespace gatehouse::policy {
namespace {

void AddClaims(const Condition& condition, std::set<std::string>& out) {
  for (const Condition& inner : condition.inner) AddClaims(inner, out);
  if (!condition.inner.empty()) return;
  if (condition.of == Condition::Of::kClaim) out.insert(condition.name);
  if (condition.kind == Condition::Kind::kEqualsClaim) out.insert(condition.values.front());
}

void AddClaims(const Action& action, std::set<std::string>& out) {
  for (const std::vector<Rule>* rules : {&action.allow, &action.deny}) {
    for (const Rule& rule : *rules) {
      for (const Condition& condition : rule.when) AddClaims(condition, out);
    }
  }
}

}  // namespace

std::vector<std::string> ClaimsOf(const Definition& policy) {
  std::set<std::string> out;
  for (const Resource& resource : policy.resources) {
    for (const Action& action : resource.actions) AddClaims(action, out);
  }
  return {out.begin(), out.end()};
}

bool TestsClaims(const Action& action) {
  std::set<std::string> claims;
  AddClaims(action, claims);
  return !claims.empty();
}

}  // namespace gatehouse::policy
