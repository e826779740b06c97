#include <iostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "client/cli/output.h"
#include "client/cli/policy.h"
#include "server/policy/expression.h"

namespace gatehouse::cli {
namespace {

using policy::Expression;

// Roles as the policy names them, in the order of their names.
std::set<std::string> RolesOf(const policy::Definition& policy) {
  std::set<std::string> out;
  for (const policy::Role& role : policy.roles) {
    out.insert(role.name);
    out.insert(role.includes.begin(), role.includes.end());
  }
  return out;
}

// What somebody with this one role may do with the things of their tenant: with all
// of them, with their own, with those for which more holds, or with none.
std::string Cell(const LoadedPolicy& loaded, const policy::Resource& resource,
                 const std::string& action, const std::string& role) {
  policy::Principal who;
  who.issuer = resource.issuers.empty() ? loaded.issuers.front() : resource.issuers.front();
  who.subject = "somebody";
  who.tenant = "some-tenant";
  if (!role.empty()) who.roles = {role};
  const std::string thing = absl::StrCat(resource.type, "/1");
  const auto may = [&](absl::string_view owner) {
    return loaded.policy.Decide(
               who, {.resource = thing, .owner = owner, .action = action, .tenant = who.tenant}) ==
           policy::Code::kOk;
  };
  if (may("somebody else")) return "all";
  if (may("somebody")) return "own";
  const Expression filter = loaded.policy.Filter(who, resource.type, action);
  return filter.kind == Expression::Kind::kConstant ? "-" : "if";
}

}  // namespace

int PrintPolicyMatrix(const LoadedPolicy& loaded) {
  const policy::Definition& policy = *loaded.config.policy;
  const std::set<std::string> roles = RolesOf(policy);
  std::vector<std::string> headings = {"", "(no role)"};
  headings.insert(headings.end(), roles.begin(), roles.end());
  std::vector<std::vector<std::string>> lines;
  for (const policy::Resource& resource : policy.resources) {
    for (const policy::Action& action : resource.actions) {
      std::vector<std::string> line = {absl::StrCat(resource.type, " ", action.name),
                                       Cell(loaded, resource, action.name, "")};
      for (const std::string& role : roles) {
        line.push_back(Cell(loaded, resource, action.name, role));
      }
      lines.push_back(std::move(line));
    }
  }
  Table(headings).Print(lines);
  std::cout
      << "\nOf the things of one's tenant. all: whoever owns them; own: one's own; if: those for "
         "which a relation or a condition holds; -: none\n";
  return kYes;
}

}  // namespace gatehouse::cli
