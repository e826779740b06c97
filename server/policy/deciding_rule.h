#pragma once

#include <string>

#include "server/policy/decision.h"
#include "server/policy/policy.h"

namespace gatehouse::policy {

// By what `policy` came to `code`, its answer to `question`: the rule in the words of
// Explain, "allow[0] role:support", or what was lacking in those of WhyDenied. For
// logs and people: it decides anew and allocates.
std::string DecidingRule(const Policy& policy, const Principal& principal, const Question& question,
                         Code code);

}  // namespace gatehouse::policy
