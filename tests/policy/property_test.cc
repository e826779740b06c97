#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/policy/policy.h"
#include "tests/policy/cases.h"
#include "tests/policy/random_policy.h"

namespace gatehouse::policy {
namespace {

// ---- A naive reading of a policy, written from its description alone. ----
// nullopt is "unknown".
using Maybe = std::optional<bool>;

std::string AttributeOf(const Row& row, const std::string& name) {
  for (const auto& [key, value] : row.attributes) {
    if (key == name) return value;
  }
  return "";
}
std::string ClaimOf(const Principal& who, const std::string& name) {
  for (const auto& [key, value] : who.claims) {
    if (key == name) return std::string(value);
  }
  return "";
}

Maybe Holds(const Condition& c, const Principal& who, const Row& row) {
  using Kind = Condition::Kind;
  if (c.kind == Kind::kNot) {
    const Maybe inner = Holds(c.inner[0], who, row);
    return inner.has_value() ? Maybe(!*inner) : std::nullopt;
  }
  if (c.kind == Kind::kAll || c.kind == Kind::kAny) {
    const bool decisive = c.kind == Kind::kAny;
    bool unknown = false;
    for (const Condition& one : c.inner) {
      const Maybe inner = Holds(one, who, row);
      if (inner == Maybe(decisive)) return decisive;
      unknown = unknown || !inner.has_value();
    }
    return unknown ? std::nullopt : Maybe(!decisive);
  }
  const std::string value =
      c.of == Condition::Of::kClaim ? ClaimOf(who, c.name) : AttributeOf(row, c.name);
  if (c.kind == Kind::kPresent) {
    return !value.empty() || (c.of == Condition::Of::kClaim &&
                              std::count(who.opaque_claims.begin(), who.opaque_claims.end(),
                                         absl::string_view(c.name)) > 0);
  }
  if (value.empty()) return std::nullopt;
  double number = 0;
  switch (c.kind) {
    case Kind::kEquals:
      return value == c.values[0];
    case Kind::kIn:
      return std::count(c.values.begin(), c.values.end(), value) > 0;
    case Kind::kPrefix:
      return absl::StartsWith(value, c.values[0]);
    case Kind::kEqualsClaim: {
      const std::string other = ClaimOf(who, c.values[0]);
      return other.empty() ? std::nullopt : Maybe(value == other);
    }
    default:
      break;
  }
  if (!absl::SimpleAtod(value, &number)) return std::nullopt;
  if (c.kind == Kind::kLess) return number < c.number;
  if (c.kind == Kind::kAtMost) return number <= c.number;
  if (c.kind == Kind::kGreater) return number > c.number;
  return number >= c.number;
}

bool HasRole(const Definition& policy, const std::string& has, const std::string& wanted) {
  if (has == wanted) return true;
  for (const Role& role : policy.roles) {
    if (role.name != has) continue;
    for (const std::string& included : role.includes) {
      if (HasRole(policy, included, wanted)) return true;
    }
  }
  return false;
}

Maybe Matches(const Definition& policy, const Rule& rule, const Principal& who, const Row& row) {
  Maybe out = true;
  switch (rule.who.kind) {
    case Who::Kind::kOwner:
      out = row.owner.empty() ? std::nullopt : Maybe(row.owner == who.subject);
      break;
    case Who::Kind::kRole:
      out = std::any_of(who.roles.begin(), who.roles.end(), [&](const auto& role) {
        return HasRole(policy, std::string(role), rule.who.name);
      });
      break;
    case Who::Kind::kScope:
      out = std::count(who.scopes.begin(), who.scopes.end(), absl::string_view(rule.who.name)) > 0;
      break;
    case Who::Kind::kRelation:
      for (const auto& [name, subjects] : row.relations) {
        if (name != rule.who.name) continue;
        out = std::count(subjects.begin(), subjects.end(), std::string(who.subject)) > 0;
      }
      break;
    case Who::Kind::kAuthenticated:
      break;
  }
  for (const Condition& condition : rule.when) {
    const Maybe one = Holds(condition, who, row);
    if (one == Maybe(false) || out == Maybe(false)) {
      out = false;
    } else if (!one.has_value()) {
      out = std::nullopt;
    }
  }
  return out;
}

bool NaivelyMay(const Definition& policy, const Principal& who, const Row& row,
                const std::string& type, const std::string& name) {
  for (const Resource& resource : policy.resources) {
    if (resource.type != type) continue;
    if (std::count(resource.issuers.begin(), resource.issuers.end(), std::string(who.issuer)) == 0)
      return false;
    const bool same_tenant = !row.tenant.empty() && row.tenant == who.tenant;
    if (resource.tenancy == Tenancy::kRequired && !same_tenant) return false;
    if (resource.tenancy == Tenancy::kOptional && !row.tenant.empty() && !same_tenant) return false;
    for (const Action& action : resource.actions) {
      if (action.name != name) continue;
      for (const Rule& rule : action.deny) {
        if (Matches(policy, rule, who, row) != Maybe(false)) return false;
      }
      for (const Rule& rule : action.allow) {
        if (Matches(policy, rule, who, row) == Maybe(true)) return true;
      }
    }
  }
  return false;
}

using Breakage = std::function<void(Definition&)>;
// What an engine says about a task.
using Engine = std::function<bool(const Policy&, const Principal&, const Row&, const std::string&)>;

bool Whole(const Policy& policy, const Principal& who, const Row& row, const std::string& action) {
  return Ask(policy, who, row, "task", action) == Code::kOk;
}

// The first random policy for which the engine and the naive reading disagree; -1 if
// there is none. `breakage` is done to the engine's copy of the policy alone.
int FirstDisagreement(int policies, const Breakage& breakage, const Engine& engine, Tally& tally,
                      int& cases) {
  RandomPolicies random(1);
  for (int i = 0; i < policies; ++i) {
    const Definition definition = random.NextPolicy();
    Definition compiled = definition;
    breakage(compiled);
    const auto policy = Policy::Compile(compiled, {kIssuer, kOtherIssuer});
    if (!policy.ok()) continue;  // the same rule twice, say
    for (int j = 0; j < 15; ++j) {
      const Principal who = random.NextPrincipal();
      const Row row = random.NextRow(j);
      const std::string action = j % 2 == 0 ? "read" : "write";
      const bool allowed = engine(*policy, who, row, action);
      if (allowed != NaivelyMay(definition, who, row, "task", action)) return i;
      if (Ask(*policy, who, row, "note", action) == Code::kOk) return i;
      if (Ask(*policy, who, row, "task", "delete") == Code::kOk) return i;
      tally.Count(definition, action, allowed);
      ++cases;
    }
  }
  return -1;
}

TEST(PolicyPropertyTest, ANaiveReadingAgreesWithTheEngine) {
  Tally tally;
  int cases = 0;
  EXPECT_EQ(FirstDisagreement(12'000, [](Definition&) {}, Whole, tally, cases), -1);
  std::printf("%d policies x questions\n", cases);
  EXPECT_GE(cases, 100'000);
  EXPECT_GE(tally.Report(), 0.1);
}

// As an engine does that takes unknown for false.
Condition UnknownIsFalse(Condition condition) {
  using Kind = Condition::Kind;
  if (condition.kind == Kind::kAll || condition.kind == Kind::kAny ||
      condition.kind == Kind::kNot) {
    for (Condition& inner : condition.inner) inner = UnknownIsFalse(std::move(inner));
    return condition;
  }
  Condition present = condition;
  present.kind = Kind::kPresent;
  return {.kind = Kind::kAll, .inner = {std::move(present), std::move(condition)}};
}

void ForEachAction(Definition& policy, const std::function<void(Action&)>& what) {
  for (Resource& resource : policy.resources) {
    for (Action& action : resource.actions) what(action);
  }
}

TEST(PolicyPropertyTest, APolicyThatWasReadWronglyIsFound) {
  const std::map<std::string, Breakage> engines = {
      {"deny does not win",
       [](Definition& p) { ForEachAction(p, [](Action& action) { action.deny.clear(); }); }},
      {"the tenant is not looked at",
       [](Definition& p) { p.resources[0].tenancy = Tenancy::kNone; }},
      {"a resource without tenant passes",
       [](Definition& p) {
         Tenancy& tenancy = p.resources[0].tenancy;
         if (tenancy == Tenancy::kRequired) tenancy = Tenancy::kOptional;
       }},
      {"unknown is false",
       [](Definition& p) {
         ForEachAction(p, [](Action& action) {
           for (Rule& rule : action.deny) {
             for (Condition& condition : rule.when) condition = UnknownIsFalse(condition);
           }
         });
       }},
      {"the issuer is not looked at",
       [](Definition& p) { p.resources[0].issuers = {kIssuer, kOtherIssuer}; }},
      {"a role has none of those that it includes", [](Definition& p) {
         for (Role& role : p.roles) role.includes.clear();
       }}};
  for (const auto& [name, breakage] : engines) {
    Tally tally;
    int cases = 0;
    const int found = FirstDisagreement(12'000, breakage, Whole, tally, cases);
    std::printf("%s: found by policy %d after %d cases\n", name.c_str(), found, cases);
    EXPECT_GE(found, 0) << name;
  }
}

bool Any(const Told& told, absl::string_view list, Truth truth) {
  return std::any_of(told.rules.begin(), told.rules.end(), [&](const RuleVerdict& rule) {
    return absl::StartsWith(rule.rule, list) && rule.truth == truth;
  });
}

bool AllowBeforeDeny(const Policy& policy, const Principal& who, const Row& row,
                     const std::string& action) {
  const Told told = AskAll(policy, who, row, action);
  return told.allowed || (told.why_not == kARuleDenies && Any(told, "allow", Truth::kTrue));
}

bool UnknownDeniesNothing(const Policy& policy, const Principal& who, const Row& row,
                          const std::string& action) {
  const Told told = AskAll(policy, who, row, action);
  return told.allowed || (told.why_not == kARuleDenies && !Any(told, "deny", Truth::kTrue) &&
                          Any(told, "allow", Truth::kTrue));
}

bool UnknownAllows(const Policy& policy, const Principal& who, const Row& row,
                   const std::string& action) {
  const Told told = AskAll(policy, who, row, action);
  return told.allowed ||
         (told.why_not == "no rule allows it" && Any(told, "allow", Truth::kUnknown));
}

bool OnlyTheFirstRuleAllows(const Policy& policy, const Principal& who, const Row& row,
                            const std::string& action) {
  const Told told = AskAll(policy, who, row, action);
  return told.allowed && Any(told, "allow[0]", Truth::kTrue);
}

bool AnyTenant(const Policy& policy, const Principal& who, Row row, const std::string& action) {
  row.tenant = std::string(who.tenant);
  return Whole(policy, who, row, action);
}

bool RelationsOfAnybody(const Policy& policy, const Principal& who, Row row,
                        const std::string& action) {
  for (auto& [name, subjects] : row.relations) {
    if (!subjects.empty()) subjects.emplace_back(who.subject);
  }
  return Whole(policy, who, row, action);
}

TEST(PolicyPropertyTest, AnEngineThatIsBrokenOnPurposeIsFound) {
  const std::map<std::string, Engine> engines = {
      {"allow stands before deny", AllowBeforeDeny},
      {"unknown denies nothing", UnknownDeniesNothing},
      {"unknown allows", UnknownAllows},
      {"only the first rule allows", OnlyTheFirstRuleAllows},
      {"the tenant is not looked at", AnyTenant},
      {"a relation is anybody's", RelationsOfAnybody}};
  for (const auto& [name, engine] : engines) {
    Tally tally;
    int cases = 0;
    const int found = FirstDisagreement(12'000, [](Definition&) {}, engine, tally, cases);
    std::printf("%s: found by policy %d after %d cases\n", name.c_str(), found, cases);
    EXPECT_GE(found, 0) << name;
  }
}

}  // namespace
}  // namespace gatehouse::policy
