#pragma once

#include <string>
#include <vector>

#include "server/policy/check.h"

namespace gatehouse::policy {

// What is wrong with a resource's table, if it has one: names that are none, and
// rules that need a column it lacks or one of another type. `path` is the resource's.
std::vector<Finding> CheckTable(const Resource& resource, const std::string& path);

}  // namespace gatehouse::policy
