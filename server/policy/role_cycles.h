#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

// Inside of this folder only.
namespace gatehouse::policy {

// Those roles that include themselves, directly or through others. `includes`: by role.
// Takes time in proportion to it.
std::set<std::string> RolesThatIncludeThemselves(
    const std::map<std::string, std::vector<std::string>>& includes);

}  // namespace gatehouse::policy
