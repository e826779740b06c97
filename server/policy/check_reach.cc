#include "server/policy/check_reach.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/log.h"

namespace gatehouse::policy {
namespace {

using Names = std::optional<std::vector<std::string>>;

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class ReachChecker {
 public:
  ReachChecker(const Definition& policy, const std::vector<IssuerReach>& issuers)
      : policy_(policy), issuers_(issuers) {
    for (const Role& role : policy.roles) {
      for (const std::string& included : role.includes) {
        included_by_[included].push_back(role.name);
      }
    }
  }

  std::vector<Finding> Run() {
    for (const Resource& resource : policy_.resources) {
      const std::string path = absl::StrCat("resources.", log::Escape(resource.type, 64));
      const std::vector<const IssuerReach*> issuers = IssuersOf(resource);
      if (resource.tenancy == Tenancy::kRequired &&
          std::none_of(issuers.begin(), issuers.end(),
                       [](const IssuerReach* one) { return one->has_tenants; })) {
        Warn(path + ".tenant",
             "is required, but no token of its issuers has a tenant: nobody may do anything");
      }
      for (const Action& action : resource.actions) {
        const std::string inner = absl::StrCat(path, ".actions.", log::Escape(action.name, 64));
        CheckRules(action.allow, issuers, inner + ".allow");
        CheckRules(action.deny, issuers, inner + ".deny");
      }
    }
    return std::move(out_);
  }

 private:
  std::vector<const IssuerReach*> IssuersOf(const Resource& resource) const {
    std::vector<const IssuerReach*> out;
    for (const IssuerReach& one : issuers_) {
      if (resource.issuers.empty() || Has(resource.issuers, one.issuer)) out.push_back(&one);
    }
    return out;
  }

  void CheckRules(const std::vector<Rule>& rules, const std::vector<const IssuerReach*>& issuers,
                  const std::string& path) {
    for (size_t i = 0; i < rules.size(); ++i) {
      const Who& who = rules[i].who;
      const bool is_role = who.kind == Who::Kind::kRole;
      if (!is_role && who.kind != Who::Kind::kScope) continue;
      const auto may = [&](const IssuerReach* one) {
        return is_role ? MayHaveRole(one->roles, who.name)
                       : !one->scopes.has_value() || Has(*one->scopes, who.name);
      };
      if (std::any_of(issuers.begin(), issuers.end(), may)) continue;
      Warn(absl::StrCat(path, "[", i, "]"),
           absl::StrCat("can never match: none of the resource's issuers may assert this ",
                        is_role ? "role or one that includes it" : "scope"));
    }
  }

  bool MayHaveRole(const Names& may, const std::string& wanted) const {
    if (!may.has_value()) return true;
    std::set<std::string> seen = {wanted};
    std::vector<std::string> left = {wanted};
    while (!left.empty()) {
      const std::string role = std::move(left.back());
      left.pop_back();
      if (Has(*may, role)) return true;
      const auto it = included_by_.find(role);
      if (it == included_by_.end()) continue;
      for (const std::string& next : it->second) {
        if (seen.insert(next).second) left.push_back(next);
      }
    }
    return false;
  }

  void Warn(std::string path, std::string what) {
    out_.push_back({std::move(path), std::move(what)});
  }

  const Definition& policy_;
  const std::vector<IssuerReach>& issuers_;
  std::map<std::string, std::vector<std::string>> included_by_;
  std::vector<Finding> out_;
};

}  // namespace

std::vector<Finding> CheckReach(const Definition& policy, const std::vector<IssuerReach>& issuers) {
  return ReachChecker(policy, issuers).Run();
}

}  // namespace gatehouse::policy
