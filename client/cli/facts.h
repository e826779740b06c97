#pragma once

#include <CLI/App.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace gatehouse::cli {

// What a backend says about a resource.
struct ResourceFacts {
  std::string resource;
  std::string owner;
  std::string tenant;
  std::string action;
  std::vector<std::string> relations;   // NAME=SUBJECT
  std::vector<std::string> attributes;  // NAME=VALUE
};

// Adds the options of them. `tenant_option`: what the resource's tenant is called.
void AddResourceFacts(CLI::App& subcommand, ResourceFacts& facts, const std::string& tenant_option);

// "name=value"; an empty name if it is not that.
std::pair<std::string, std::string> SplitFact(const std::string& text);

// The attributes, by name. INVALID_ARGUMENT if one is not NAME=VALUE, or a name comes twice.
absl::StatusOr<std::map<std::string, std::string>> AttributesOf(const ResourceFacts& facts);

// What is wrong with a relation.
inline constexpr char kBadRelation[] = "--relation must be NAME=SUBJECT, such as editor=ada";

}  // namespace gatehouse::cli
