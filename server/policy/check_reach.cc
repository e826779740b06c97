#include "server/policy/check_reach.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/log.h"

namespace gatehouse::policy {
namespace {

using Set = std::set<std::string>;

// What an issuer's tokens stand for, what their roles include too. Unset: anything.
struct Reach {
  const IssuerReach* issuer = nullptr;
  std::optional<Set> roles = {};
  std::optional<Set> scopes = {};
};

Set WithIncluded(const std::vector<std::string>& roles,
                 const std::map<std::string, const Role*>& by_name) {
  Set out(roles.begin(), roles.end());
  std::vector<std::string> left = roles;
  while (!left.empty()) {
    const auto it = by_name.find(left.back());
    left.pop_back();
    if (it == by_name.end()) continue;
    for (const std::string& included : it->second->includes) {
      if (out.insert(included).second) left.push_back(included);
    }
  }
  return out;
}

class ReachChecker {
 public:
  ReachChecker(const Definition& policy, const std::vector<IssuerReach>& issuers)
      : policy_(policy) {
    std::map<std::string, const Role*> by_name;
    for (const Role& role : policy.roles) by_name.emplace(role.name, &role);
    issuers_.reserve(issuers.size());
    for (const IssuerReach& one : issuers) {
      Reach reach{.issuer = &one};
      if (one.roles.has_value()) reach.roles = WithIncluded(*one.roles, by_name);
      if (one.scopes.has_value()) reach.scopes = Set(one.scopes->begin(), one.scopes->end());
      issuers_.push_back(std::move(reach));
    }
  }

  std::vector<Finding> Run() {
    for (const Resource& resource : policy_.resources) {
      const std::string path = absl::StrCat("resources.", log::Escape(resource.type, 64));
      const std::vector<const Reach*> issuers = IssuersOf(resource);
      if (resource.tenancy == Tenancy::kRequired &&
          std::none_of(issuers.begin(), issuers.end(),
                       [](const Reach* one) { return one->issuer->has_tenants; })) {
        Warn(path + ".tenant",
             "is required, but no token of its issuers has a tenant: nobody may do anything");
      }
      for (const Action& action : resource.actions) {
        const std::string inner = absl::StrCat(path, ".actions.", log::Escape(action.name, 64));
        CheckRules(action.allow, issuers, inner + ".allow", false);
        CheckRules(action.deny, issuers, inner + ".deny", true);
      }
    }
    return std::move(out_);
  }

 private:
  std::vector<const Reach*> IssuersOf(const Resource& resource) const {
    std::vector<const Reach*> out;
    for (const Reach& one : issuers_) {
      const bool named = std::find(resource.issuers.begin(), resource.issuers.end(),
                                   one.issuer->issuer) != resource.issuers.end();
      if (named || resource.issuers.empty()) out.push_back(&one);
    }
    return out;
  }

  void CheckRules(const std::vector<Rule>& rules, const std::vector<const Reach*>& issuers,
                  const std::string& path, bool is_deny) {
    for (size_t i = 0; i < rules.size(); ++i) {
      const Who& who = rules[i].who;
      const bool is_role = who.kind == Who::Kind::kRole;
      if (!is_role && who.kind != Who::Kind::kScope) continue;
      const auto may_not = [&](const Reach* one) {
        const std::optional<Set>& names = is_role ? one->roles : one->scopes;
        return names.has_value() && names->count(who.name) == 0;
      };
      const std::string inner = absl::StrCat(path, "[", i, "]");
      const absl::string_view what = is_role ? "role or one that includes it" : "scope";
      const auto first = std::find_if(issuers.begin(), issuers.end(), may_not);
      if (std::all_of(first, issuers.end(), may_not) && first == issuers.begin()) {
        Warn(inner, absl::StrCat("can never match: none of the resource's issuers may assert this ",
                                 what));
      } else if (is_deny && first != issuers.end()) {
        // Whoever is to be denied there is not known as such.
        Warn(inner,
             absl::StrCat("never matches a token of ", log::Escape((*first)->issuer->issuer, 64),
                          ", which may not assert this ", what));
      }
    }
  }

  void Warn(std::string path, std::string what) {
    out_.push_back({std::move(path), std::move(what)});
  }

  const Definition& policy_;
  std::vector<Reach> issuers_;
  std::vector<Finding> out_;
};

}  // namespace

std::vector<Finding> CheckReach(const Definition& policy, const std::vector<IssuerReach>& issuers) {
  return ReachChecker(policy, issuers).Run();
}

}  // namespace gatehouse::policy
