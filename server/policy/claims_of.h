#pragma once

#include <string>
#include <vector>

#include "server/policy/definition.h"

namespace gatehouse::policy {

// The names and paths of the claims that conditions test, each once, in order.
std::vector<std::string> ClaimsOf(const Definition& policy);
bool TestsClaims(const Action& action);

}  // namespace gatehouse::policy
