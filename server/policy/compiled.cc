#include "server/policy/compiled.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/policy/condition.h"

namespace gatehouse::policy {
namespace {

Truth IsRelated(absl::string_view name, absl::string_view subject, const Question& question) {
  for (const Relation& relation : question.relations) {
    if (relation.name != name) continue;
    return ToTruth(std::find(relation.subjects.begin(), relation.subjects.end(), subject) !=
                   relation.subjects.end());
  }
  return Truth::kUnknown;  // the backend did not say
}

absl::string_view Verb(Condition::Kind kind) {
  switch (kind) {
    case Condition::Kind::kLess:
      return " is less than ";
    case Condition::Kind::kAtMost:
      return " is at most ";
    case Condition::Kind::kGreater:
      return " is greater than ";
    case Condition::Kind::kAtLeast:
      return " is at least ";
    case Condition::Kind::kEquals:
      return " is ";
    case Condition::Kind::kIn:
      return " is one of ";
    case Condition::Kind::kPrefix:
      return " begins with ";
    case Condition::Kind::kEqualsClaim:
      return " is the claim ";
    default:
      return " is present";
  }
}

std::string DescribeAll(const std::vector<Condition>& conditions, absl::string_view between) {
  return absl::StrJoin(conditions, between, [](std::string* out, const Condition& one) {
    absl::StrAppend(out, Describe(one));
  });
}

// Gives `name` the roles that it stands for, after those that it includes. There is no
// cycle, and what is no longer `left` is complete.
void Complete(absl::string_view name, absl::flat_hash_map<absl::string_view, const Role*>& left,
              CompiledRoles& out) {
  const auto it = left.find(name);
  if (it == left.end()) return;
  const Role& role = *it->second;
  left.erase(it);
  RoleSet& stands_for = out.at(role.name).stands_for;
  for (const std::string& included : role.includes) {
    Complete(included, left, out);
    stands_for.Add(out.at(included).stands_for);
  }
}

}  // namespace

CompiledRoles CompileRoles(const std::vector<Role>& roles) {
  CompiledRoles out;
  const auto add = [&](const std::string& name) {
    const size_t number = out.size();
    if (const auto [it, is_new] = out.try_emplace(name); is_new) {
      it->second.number = number;
      it->second.stands_for.Add(number);
    }
  };
  for (const Role& role : roles) {
    add(role.name);
    for (const std::string& included : role.includes) add(included);
  }
  absl::flat_hash_map<absl::string_view, const Role*> left;
  for (const Role& role : roles) left.emplace(role.name, &role);
  for (const Role& role : roles) Complete(role.name, left, out);
  return out;
}

RoleSet RolesOf(const Principal& principal, const CompiledRoles& roles) {
  RoleSet out;
  for (const absl::string_view name : principal.roles) {
    if (const auto it = roles.find(name); it != roles.end()) out.Add(it->second.stands_for);
  }
  return out;
}

Truth Evaluate(const Who& who, size_t role, const RoleSet& roles, const Principal& principal,
               const Question& question) {
  switch (who.kind) {
    case Who::Kind::kOwner:
      if (question.owner.empty() || principal.subject.empty()) return Truth::kUnknown;
      return ToTruth(question.owner == principal.subject);
    case Who::Kind::kRole:
      return ToTruth(roles.Has(role));
    case Who::Kind::kScope:
      return ToTruth(std::any_of(principal.scopes.begin(), principal.scopes.end(),
                                 [&](absl::string_view scope) { return scope == who.name; }));
    case Who::Kind::kRelation:
      return IsRelated(who.name, principal.subject, question);
    case Who::Kind::kAuthenticated:
      return Truth::kTrue;
  }
  return Truth::kUnknown;
}

Truth Evaluate(const CompiledRule& rule, const RoleSet& roles, const Principal& principal,
               const Question& question) {
  Truth truth = Evaluate(rule.who, rule.role, roles, principal, question);
  for (const Condition& condition : rule.when) {
    if (truth == Truth::kFalse) break;
    truth = And(truth, Evaluate(condition, principal, question));
  }
  return truth;
}

std::string Describe(const Who& who) {
  switch (who.kind) {
    case Who::Kind::kOwner:
      return "owner";
    case Who::Kind::kRole:
      return absl::StrCat("role:", who.name);
    case Who::Kind::kScope:
      return absl::StrCat("scope:", who.name);
    case Who::Kind::kRelation:
      return absl::StrCat("relation:", who.name);
    case Who::Kind::kAuthenticated:
      break;
  }
  return "authenticated";
}

std::string Describe(const Condition& condition) {
  using Kind = Condition::Kind;
  switch (condition.kind) {
    case Kind::kAll:
      return absl::StrCat("(", DescribeAll(condition.inner, " and "), ")");
    case Kind::kAny:
      return absl::StrCat("(", DescribeAll(condition.inner, " or "), ")");
    case Kind::kNot:
      return absl::StrCat("not ", DescribeAll(condition.inner, ""));
    default:
      break;
  }
  const std::string value = absl::StrCat(condition.of == Condition::Of::kClaim ? "claim " : "",
                                         condition.name, Verb(condition.kind));
  switch (condition.kind) {
    case Kind::kLess:
    case Kind::kAtMost:
    case Kind::kGreater:
    case Kind::kAtLeast:
      return absl::StrCat(value, condition.number);
    default:
      return absl::StrCat(value, absl::StrJoin(condition.values, ", "));
  }
}

}  // namespace gatehouse::policy
