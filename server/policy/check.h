#pragma once

#include <string>
#include <vector>

#include "server/policy/definition.h"

namespace gatehouse::policy {

// The most that a policy may have of each.
inline constexpr size_t kMaxRoles = 1024;
inline constexpr size_t kMaxResources = 4096;
inline constexpr size_t kMaxActions = 256;  // of one resource
inline constexpr size_t kMaxRules = 256;    // of one action, and the depth of its conditions is 16
inline constexpr size_t kMaxConditionDepth = 16;

// Something about a policy, and where: "resources.task.actions.read.allow[0]".
struct Finding {
  std::string path;
  std::string what;
};

struct Findings {
  std::vector<Finding> mistakes;  // the policy must not be used
  std::vector<Finding> warnings;  // it may, but somebody should look
};

// Looks for what a policy must not say: names that are unknown, twice there or of a
// wrong form, roles that include themselves, actions without a rule, everybody
// allowed without `public` (also by conditions that always hold), conditions that compare
// nothing; and for what it hardly means: roles that no rule names, rules that stand twice
// can never match or say nothing more than another, `public` without need, resources open to
// everybody, several issuers of one resource. `issuers`: those of the configuration.
Findings Check(const Definition& policy, const std::vector<std::string>& issuers);

}  // namespace gatehouse::policy
