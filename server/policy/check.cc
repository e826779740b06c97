#include "server/policy/check.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "server/base/log.h"
#include "server/base/suggestion.h"
#include "server/base/text.h"
#include "server/policy/check_conditions.h"
#include "server/policy/check_table.h"
#include "server/policy/role_cycles.h"

namespace gatehouse::policy {
namespace {

constexpr size_t kMaxNameBytes = 256;

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", log::Escape(text, 64), "\"");
}

// A name in a path, as the configuration writes it there.
std::string Segment(absl::string_view name) { return log::Escape(name, 64); }

// What is wrong with a name; empty if nothing.
std::string WrongName(absl::string_view name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > kMaxNameBytes) return "is longer than 256 bytes";
  if (HasControlCharacter(name)) return "holds a control character";
  return "";
}

bool AreSame(const std::vector<Condition>& a, const std::vector<Condition>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Condition& x, const Condition& y) { return IsSame(x, y); });
}

bool IsSame(const Rule& a, const Rule& b) {
  return a.who.kind == b.who.kind && a.who.name == b.who.name && AreSame(a.when, b.when);
}

class Checker {
 public:
  Checker(const Definition& policy, const std::vector<std::string>& issuers)
      : policy_(policy), issuers_(issuers) {}

  Findings Run() {
    CheckRoles();
    if (policy_.resources.empty()) {
      Mistake("resources", "needs at least one resource; without one nobody may do anything");
    }
    if (policy_.resources.size() > kMaxResources) Mistake("resources", "are more than 4096");
    std::set<std::string> types;
    for (const Resource& resource : policy_.resources) CheckResource(resource, types);
    WarnOfRolesThatStandOnce();
    const std::set<std::string> used = UsedRoles();
    for (const std::string& role : known_roles_) {
      if (used.count(role) == 0 && stand_once_.count(role) == 0) {
        Warn(absl::StrCat("roles.", Segment(role)),
             "no rule names this role or one that it includes");
      }
    }
    return std::move(out_);
  }

 private:
  void Mistake(std::string path, absl::string_view what) {
    out_.mistakes.push_back({std::move(path), std::string(what)});
  }
  void Warn(std::string path, absl::string_view what) {
    out_.warnings.push_back({std::move(path), std::string(what)});
  }
  bool CheckName(const std::string& path, absl::string_view name) {
    const std::string wrong = WrongName(name);
    if (!wrong.empty()) Mistake(path, wrong);
    return wrong.empty();
  }

  // Of a role, resource type or action, each of which stands for itself alone.
  bool CheckOwnName(const std::string& path, absl::string_view name) {
    if (name != "*") return CheckName(path, name);
    Mistake(path, "there is no *; write each");
    return false;
  }

  void CheckRoles() {
    std::set<std::string> declared;
    for (const Role& role : policy_.roles) {
      const std::string path = absl::StrCat("roles.", Segment(role.name));
      CheckOwnName(path, role.name);
      if (!declared.insert(role.name).second) Mistake(path, "is there twice");
      known_roles_.insert(role.name);
      std::set<std::string> seen;
      for (size_t i = 0; i < role.includes.size(); ++i) {
        const std::string inner = absl::StrCat(path, ".includes[", i, "]");
        if (CheckOwnName(inner, role.includes[i]) && !seen.insert(role.includes[i]).second) {
          Mistake(inner, "is there twice");
        }
        known_roles_.insert(role.includes[i]);
        included_at_[role.includes[i]].push_back(inner);
        includes_[role.name].push_back(role.includes[i]);
      }
    }
    for (const std::string& role : declared) included_at_.erase(role);
    if (known_roles_.size() > kMaxRoles) Mistake("roles", "are more than 1024");
    const std::set<std::string> cyclic = RolesThatIncludeThemselves(includes_);
    for (const Role& role : policy_.roles) {
      if (cyclic.count(role.name) > 0) {
        Mistake(absl::StrCat("roles.", Segment(role.name)),
                "includes itself, directly or through others");
      }
    }
  }

  // Rules alone may name an included role, but one that nothing else does is a slip.
  void WarnOfRolesThatStandOnce() {
    for (const auto& [role, places] : included_at_) {
      if (places.size() != 1 || named_roles_.count(role) > 0) continue;
      stand_once_.insert(role);
      std::vector<std::string> others(known_roles_.begin(), known_roles_.end());
      others.erase(std::find(others.begin(), others.end(), role));
      const std::string meant = Nearest(role, others);
      Warn(places.front(),
           absl::StrCat("the role ", Quoted(role), " is written nowhere else",
                        meant.empty() ? "" : absl::StrCat("; did you mean ", Quoted(meant), "?")));
    }
  }

  // Whether `role` includes `wanted`, directly or through others.
  bool Includes(const std::string& role, const std::string& wanted) const {
    std::set<std::string> seen;
    std::vector<std::string> left = {role};
    while (!left.empty()) {
      const auto it = includes_.find(left.back());
      left.pop_back();
      if (it == includes_.end()) continue;
      for (const std::string& next : it->second) {
        if (next == wanted) return true;
        if (seen.insert(next).second) left.push_back(next);
      }
    }
    return false;
  }

  // Those that a rule names, and all that include one of them.
  std::set<std::string> UsedRoles() const {
    std::map<std::string, std::vector<std::string>> included_by;
    for (const auto& [role, included] : includes_) {
      for (const std::string& one : included) included_by[one].push_back(role);
    }
    std::set<std::string> used = named_roles_;
    std::vector<std::string> left(used.begin(), used.end());
    while (!left.empty()) {
      const auto it = included_by.find(left.back());
      left.pop_back();
      if (it == included_by.end()) continue;
      for (const std::string& role : it->second) {
        if (used.insert(role).second) left.push_back(role);
      }
    }
    return used;
  }

  void CheckResource(const Resource& resource, std::set<std::string>& types) {
    const std::string path = absl::StrCat("resources.", Segment(resource.type));
    if (CheckOwnName(path, resource.type) && resource.type.find('/') != std::string::npos) {
      Mistake(path, "a resource type holds no slash: a resource is type/id");
    }
    if (!types.insert(resource.type).second) Mistake(path, "is there twice");
    CheckIssuers(resource, path + ".issuers");
    for (Finding& one : CheckTable(resource, path)) out_.mistakes.push_back(std::move(one));
    if (resource.actions.empty()) {
      Mistake(path + ".actions", "needs at least one action; nobody may do anything else");
    }
    if (resource.actions.size() > kMaxActions) Mistake(path + ".actions", "are more than 256");
    std::set<std::string> names;
    open_to_all_.clear();
    open_to_tenant_.clear();
    for (const Action& action : resource.actions) {
      const std::string inner = absl::StrCat(path, ".actions.", Segment(action.name));
      CheckOwnName(inner, action.name);
      if (!names.insert(action.name).second) Mistake(inner, "is there twice");
      CheckAction(action, resource.tenancy, inner);
    }
    if (!open_to_all_.empty()) {
      Warn(path, absl::StrCat("is open to everybody who has a token: ",
                              absl::StrJoin(open_to_all_, ", ")));
    }
    if (!open_to_tenant_.empty()) {
      Warn(path, absl::StrCat("is open to everybody of its tenant: ",
                              absl::StrJoin(open_to_tenant_, ", ")));
    }
  }

  void CheckIssuers(const Resource& resource, const std::string& path) {
    if (resource.issuers.empty() && issuers_.size() > 1) {
      Mistake(path, "is required with several issuers: it says whose subjects an owner may be");
    }
    std::set<std::string> seen;
    for (size_t i = 0; i < resource.issuers.size(); ++i) {
      const std::string& issuer = resource.issuers[i];
      const std::string inner = absl::StrCat(path, "[", i, "]");
      if (std::find(issuers_.begin(), issuers_.end(), issuer) == issuers_.end()) {
        Mistake(inner, absl::StrCat(Quoted(issuer), " is none of the issuers"));
      } else if (!seen.insert(issuer).second) {
        Mistake(inner, "is there twice");
      }
    }
    if (seen.size() > 1) {
      Warn(path, absl::StrCat("names ", seen.size(),
                              " issuers: an equal subject of each counts as the same one"));
    }
  }

  void CheckAction(const Action& action, Tenancy tenancy, const std::string& path) {
    if (action.allow.empty()) {
      Mistake(path + ".allow", "needs at least one rule; without one nobody may");
    }
    if (action.allow.size() + action.deny.size() > kMaxRules) Mistake(path, "has over 256 rules");
    CheckRules(action.allow, path + ".allow");
    CheckRules(action.deny, path + ".deny");
    CheckEverybody(action, tenancy, path);
    for (size_t i = 0; i < action.deny.size(); ++i) {
      const Rule& rule = action.deny[i];
      const std::string inner = absl::StrCat(path, ".deny[", i, "]");
      if (rule.who.kind != Who::Kind::kAuthenticated) continue;
      if (rule.when.empty()) {
        Mistake(inner,
                "denies everybody, so that no rule of allow can match; leave the action out");
      } else if (IsNeverFalse({.kind = Condition::Kind::kAll, .inner = rule.when})) {
        Warn(inner, "has conditions that are never false, so that no rule of allow can match");
      }
    }
    CheckNeverMatches(action, path);
  }

  void CheckEverybody(const Action& action, Tenancy tenancy, const std::string& path) {
    const bool of_one_tenant = tenancy == Tenancy::kRequired;
    bool by_one_rule = false;
    std::vector<Condition> ways;  // in which whoever has a token is allowed
    for (size_t i = 0; i < action.allow.size(); ++i) {
      const Rule& rule = action.allow[i];
      if (rule.who.kind != Who::Kind::kAuthenticated) continue;
      ways.push_back({.kind = Condition::Kind::kAll, .inner = rule.when});
      if (!IsAlwaysTrue(ways.back())) continue;
      by_one_rule = true;
      const std::string inner = absl::StrCat(path, ".allow[", i, "]");
      if (!of_one_tenant && !action.is_public) {
        Mistake(inner, absl::StrCat(rule.when.empty() ? "allows everybody who has a token"
                                                      : "has conditions that always hold, and so "
                                                        "allows everybody who has a token",
                                    "; if that is meant, say public: true"));
      } else if (action.allow.size() > 1) {
        Warn(inner, "allows everybody, so that the other rules of allow say nothing");
      }
    }
    const bool by_several = !by_one_rule && ways.size() > 1 &&
                            IsAlwaysTrue({.kind = Condition::Kind::kAny, .inner = std::move(ways)});
    if (action.is_public && (of_one_tenant || (!by_one_rule && !by_several))) {
      Warn(path + ".public",
           "is not needed: its rules do not allow everybody who has a token; leave it out");
    }
    if (by_several && !of_one_tenant && !action.is_public) {
      Mistake(path + ".allow",
              "its rules together allow everybody who has a token; if that is meant, say public: "
              "true");
    }
    if (!(by_one_rule || by_several) || !action.deny.empty()) return;
    if (of_one_tenant || action.is_public) {
      (of_one_tenant ? open_to_tenant_ : open_to_all_).push_back(log::Escape(action.name, 64));
    }
  }

  // What is denied to all whom a rule allows, or asks for what cannot be.
  void CheckNeverMatches(const Action& action, const std::string& path) {
    for (size_t i = 0; i < action.allow.size(); ++i) {
      const Rule& rule = action.allow[i];
      const bool never = std::any_of(action.deny.begin(), action.deny.end(), [&](const Rule& deny) {
        const bool same = deny.who.kind == rule.who.kind && deny.who.name == rule.who.name;
        return same && (deny.when.empty() || AreSame(deny.when, rule.when));
      });
      const std::string inner = absl::StrCat(path, ".allow[", i, "]");
      if (never) Warn(inner, "can never match: deny wins over it");
      if (IsNeverTrue({.kind = Condition::Kind::kAll, .inner = rule.when})) {
        Warn(inner, "can never match: its conditions contradict each other");
      }
    }
  }

  void CheckRules(const std::vector<Rule>& rules, const std::string& path) {
    for (size_t i = 0; i < rules.size(); ++i) {
      const std::string inner = absl::StrCat(path, "[", i, "]");
      CheckWho(rules[i].who, inner);
      for (size_t j = 0; j < rules[i].when.size(); ++j) {
        CheckCondition(rules[i].when[j], absl::StrCat(inner, ".when[", j, "]"), 0);
      }
      for (size_t j = 0; j < i; ++j) {
        if (IsSame(rules[i], rules[j])) {
          Warn(inner, absl::StrCat("is the same rule as ", path, "[", j, "]"));
        }
      }
      const auto wider = std::find_if(rules.begin(), rules.end(),
                                      [&](const Rule& one) { return IsWider(one, rules[i]); });
      if (wider != rules.end()) {
        Warn(inner, absl::StrCat("says nothing more than ", path, "[", wider - rules.begin(), "]"));
      }
    }
  }

  // Whether `one` holds wherever `other` does, and is not the same. Of `authenticated` more
  // is said elsewhere.
  bool IsWider(const Rule& one, const Rule& other) const {
    if (one.who.kind != other.who.kind || one.who.kind == Who::Kind::kAuthenticated) return false;
    if (!one.when.empty() && !AreSame(one.when, other.when)) return false;
    if (one.who.name == other.who.name) return !AreSame(one.when, other.when);
    return one.who.kind == Who::Kind::kRole && Includes(other.who.name, one.who.name);
  }

  void CheckWho(const Who& who, const std::string& path) {
    if (who.kind == Who::Kind::kOwner || who.kind == Who::Kind::kAuthenticated) return;
    if (who.kind != Who::Kind::kRole) {
      CheckName(path, who.name);
      return;
    }
    if (!CheckOwnName(path, who.name)) return;
    if (known_roles_.count(who.name) == 0) {
      Mistake(path, absl::StrCat("the role ", Quoted(who.name),
                                 " is not among policy.roles; write it there, if only as \"",
                                 log::Escape(who.name, 64), ": {}\""));
    }
    named_roles_.insert(who.name);
  }

  void CheckCondition(const Condition& condition, const std::string& path, size_t depth) {
    using Kind = Condition::Kind;
    if (depth == kMaxConditionDepth) return Mistake(path, "conditions are nested over 16 deep");
    switch (condition.kind) {
      case Kind::kAll:
      case Kind::kAny:
      case Kind::kNot:
        if (condition.inner.empty()) Mistake(path, "needs at least one condition");
        for (const Condition& one : condition.inner) CheckCondition(one, path, depth + 1);
        return;
      case Kind::kLess:
      case Kind::kAtMost:
      case Kind::kGreater:
      case Kind::kAtLeast:
        if (!std::isfinite(condition.number)) Mistake(path, "compares with what is no number");
        break;
      case Kind::kPresent:
        break;
      default:
        if (condition.values.empty()) {
          Mistake(path, "compares with nothing; list what it may be, such as in: [open, done]");
        }
        for (const std::string& value : condition.values) {
          if (value.empty()) Mistake(path, "compares with an empty text, which equals nothing");
        }
        break;
    }
    CheckName(path, condition.name);
  }

  const Definition& policy_;
  const std::vector<std::string>& issuers_;
  std::set<std::string> known_roles_;
  // The roles that stand in includes only, or in rules too, and where they are included.
  std::map<std::string, std::vector<std::string>> included_at_;
  std::set<std::string> stand_once_;   // of these, in one `includes` and nowhere else
  std::set<std::string> named_roles_;  // by a rule
  std::map<std::string, std::vector<std::string>> includes_;
  // Actions of the resource that is looked at.
  std::vector<std::string> open_to_all_;
  std::vector<std::string> open_to_tenant_;
  Findings out_;
};

}  // namespace

Findings Check(const Definition& policy, const std::vector<std::string>& issuers) {
  return Checker(policy, issuers).Run();
}

}  // namespace gatehouse::policy
