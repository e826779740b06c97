#pragma once

#include <string>
#include <vector>

#include "server/policy/route.h"

namespace gatehouse::policy {

// What is wrong with a route, and what would be right.
struct RouteMistake {
  size_t route = 0;        // by its place in the list
  std::string field = {};  // "hosts[1]"; empty: the route as a whole
  std::string what = {};
};

// All that is wrong with `routes`, in their order. Of two that are at odds the later one is
// named, with the place of the earlier one; those that are wrong by themselves are not compared.
std::vector<RouteMistake> CheckRoutes(const std::vector<Route>& routes);

}  // namespace gatehouse::policy
