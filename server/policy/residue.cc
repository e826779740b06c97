#include "server/policy/residue.h"

#include <array>
#include <utility>

#include "server/policy/condition.h"

namespace gatehouse::policy {
namespace {

using Kind = Expression::Kind;
using Of = Expression::Of;

Expression Equals(Of of, absl::string_view field, absl::string_view value) {
  return {
      .kind = Kind::kEquals, .of = of, .field = std::string(field), .values = {std::string(value)}};
}

Expression Test(Kind kind, const Condition& condition) {
  return {.kind = kind,
          .of = Of::kAttribute,
          .field = condition.name,
          .values = condition.values,
          .number = condition.number};
}

std::vector<Expression> Each(const std::vector<Condition>& conditions, const Principal& principal) {
  std::vector<Expression> out;
  out.reserve(conditions.size());
  for (const Condition& one : conditions) out.push_back(Residue(one, principal));
  return out;
}

Expression ResidueOfTest(const Condition& condition, const Principal& principal) {
  using From = Condition::Kind;
  switch (condition.kind) {
    case From::kPresent:
      return Test(Kind::kPresent, condition);
    case From::kEquals:
      return Test(Kind::kEquals, condition);
    case From::kIn:
      return Test(Kind::kIn, condition);
    case From::kPrefix:
      return Test(Kind::kPrefix, condition);
    case From::kLess:
      return Test(Kind::kLess, condition);
    case From::kAtMost:
      return Test(Kind::kAtMost, condition);
    case From::kGreater:
      return Test(Kind::kGreater, condition);
    case From::kAtLeast:
      return Test(Kind::kAtLeast, condition);
    case From::kEqualsClaim: {
      const absl::string_view value = principal.Claim(condition.values.front());
      if (value.empty()) return Constant(Truth::kUnknown);
      return Equals(Of::kAttribute, condition.name, value);
    }
    default:
      return Constant(Truth::kUnknown);
  }
}

}  // namespace

Expression Residue(const Condition& condition, const Principal& principal) {
  switch (condition.kind) {
    case Condition::Kind::kAll:
      return AllOf(Each(condition.inner, principal));
    case Condition::Kind::kAny:
      return AnyOf(Each(condition.inner, principal));
    case Condition::Kind::kNot:
      return NotOf(Residue(condition.inner.front(), principal));
    default:
      break;
  }
  if (condition.of == Condition::Of::kClaim) {
    return Constant(Evaluate(condition, principal, Question()));
  }
  return ResidueOfTest(condition, principal);
}

Expression Residue(const CompiledRule& rule, const RoleSet& roles, const Principal& principal) {
  std::vector<Expression> all = Each(rule.when, principal);
  switch (rule.who.kind) {
    case Who::Kind::kOwner:
      all.insert(all.begin(), principal.subject.empty()
                                  ? Constant(Truth::kUnknown)
                                  : Equals(Of::kOwner, "owner", principal.subject));
      break;
    case Who::Kind::kRelation:
      all.insert(all.begin(), {.kind = Kind::kRelated,
                               .of = Of::kRelation,
                               .field = rule.who.name,
                               .values = {std::string(principal.subject)}});
      break;
    case Who::Kind::kRole:
    case Who::Kind::kScope:
    case Who::Kind::kAuthenticated:
      all.push_back(Constant(Evaluate(rule.who, rule.role, roles, principal, Question())));
      break;
  }
  return AllOf(std::move(all));
}

Expression Residue(Tenancy tenancy, const Principal& principal) {
  if (tenancy == Tenancy::kNone) return Constant(Truth::kTrue);
  Expression same = principal.tenant.empty() ? Constant(Truth::kFalse)
                                             : Equals(Of::kTenant, "tenant", principal.tenant);
  if (tenancy == Tenancy::kRequired) return same;
  Expression has{.kind = Kind::kPresent, .of = Of::kTenant, .field = "tenant"};
  return AnyOf({NotOf(std::move(has)), std::move(same)});
}

}  // namespace gatehouse::policy
