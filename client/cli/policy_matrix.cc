#include <algorithm>
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

// With which things of a tenant, from the least to the most.
enum class Reach { kNone, kSome, kOwn, kAll };

const char* Word(Reach reach) {
  switch (reach) {
    case Reach::kAll:
      return "all";
    case Reach::kOwn:
      return "own";
    case Reach::kSome:
      return "if";
    case Reach::kNone:
      break;
  }
  return "-";
}

// A token of `issuer`, as far as it is believed, of a tenant that it may speak for if there
// is one.
config::PolicyUser UserOf(const LoadedPolicy& loaded, const std::string& issuer,
                          const std::string& role) {
  config::PolicyUser who;
  who.subject = "somebody";
  who.issuer = issuer;
  who.tenant = "some-tenant";
  if (!role.empty()) who.roles = {role};
  for (const config::Issuer& one : loaded.config.issuers) {
    const auto& tenants = one.rules.may_assert.tenants;
    if (one.rules.issuer != issuer || !tenants.has_value()) continue;
    who.tenant = tenants->empty() ? "" : *tenants->begin();
  }
  return who;
}

// What somebody with this one role of this issuer may do with the things of their tenant:
// with all of them, with their own, with those for which more holds, or with none.
Reach ReachOf(const LoadedPolicy& loaded, const std::string& issuer,
              const policy::Resource& resource, const std::string& action,
              const std::string& role) {
  config::PolicyUser user = UserOf(loaded, issuer, role);
  if (!loaded.KeepAsserted(user).ok()) return Reach::kNone;  // such a token is refused
  const policy::Principal who = user.ToPrincipal();
  const std::string thing = absl::StrCat(resource.type, "/1");
  const auto may = [&](absl::string_view owner) {
    return loaded.policy.Decide(
               who, {.resource = thing, .owner = owner, .action = action, .tenant = who.tenant}) ==
           policy::Code::kOk;
  };
  if (may("somebody else")) return Reach::kAll;
  if (may("somebody")) return Reach::kOwn;
  const Expression filter = loaded.policy.Filter(who, resource.type, action);
  return filter.kind == Expression::Kind::kConstant ? Reach::kNone : Reach::kSome;
}

// The most over the issuers whose tokens may touch it.
std::string Cell(const LoadedPolicy& loaded, const policy::Resource& resource,
                 const std::string& action, const std::string& role) {
  Reach most = Reach::kNone;
  for (const std::string& issuer : resource.issuers.empty() ? loaded.issuers : resource.issuers) {
    most = std::max(most, ReachOf(loaded, issuer, resource, action, role));
  }
  return Word(most);
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
