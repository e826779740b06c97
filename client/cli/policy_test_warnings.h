#pragma once

#include <string>
#include <vector>

#include "client/cli/policy.h"

namespace gatehouse::cli {

// What `test` names that the policy does not know, which is legal and may be a slip of the
// pen: its type, action, roles, relations and attributes.
std::vector<std::string> UnknownNames(const policy::Definition& policy,
                                      const config::PolicyTest& test);

}  // namespace gatehouse::cli
