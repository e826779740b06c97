#include "server/policy/rls_rule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"
#include "server/jose/claim_path.h"
#include "server/policy/claims_of.h"
#include "server/policy/sql_column.h"
#include "server/policy/sql_literal.h"

namespace gatehouse::policy {
namespace {

using Kind = Condition::Kind;

absl::StatusOr<std::string> Literals(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  out.reserve(texts.size());
  for (const std::string& text : texts) {
    GH_ASSIGN_OR_RETURN(std::string literal, PostgresLiteral(text));
    out.push_back(std::move(literal));
  }
  return absl::StrJoin(out, ", ");
}

absl::StatusOr<std::string> Array(const std::vector<std::string>& texts) {
  GH_ASSIGN_OR_RETURN(const std::string literals, Literals(texts));
  return absl::StrCat("ARRAY[", literals, "]::text[]");
}

// A function that reads the principal, called once for a query and not for each row.
std::string Call(absl::string_view function, absl::string_view arguments) {
  return absl::StrCat("(SELECT gatehouse.", function, "(", arguments, "))");
}

absl::StatusOr<std::string> CallOfClaim(absl::string_view function, const std::string& name) {
  GH_ASSIGN_OR_RETURN(const jose::ClaimPath path, jose::ClaimPath::Parse(name));
  GH_ASSIGN_OR_RETURN(const std::string segments, Literals(path.segments()));
  return Call(function, segments);
}

class RuleWriter {
 public:
  RuleWriter(const Table& table, const CompiledRoles& roles)
      : columns_(table, Dialect::kPostgres), roles_(roles) {}

  absl::StatusOr<std::string> Write(const Rule& rule) const {
    GH_ASSIGN_OR_RETURN(std::string who, Write(rule.who));
    std::vector<std::string> all = {std::move(who)};
    for (const Condition& condition : rule.when) {
      GH_ASSIGN_OR_RETURN(std::string one, Write(condition));
      all.push_back(std::move(one));
    }
    return absl::StrCat("(", absl::StrJoin(all, " AND "), ")");
  }

  absl::StatusOr<std::string> Write(Tenancy tenancy) const {
    if (tenancy == Tenancy::kNone) return std::string("TRUE");
    GH_ASSIGN_OR_RETURN(const std::string column, columns_.Tenant());
    std::string same = absl::StrCat("(", column, " = ", Call("tenant", ""), ")");
    if (tenancy == Tenancy::kRequired) return same;
    return absl::StrCat("(", column, " IS NULL OR ", same, ")");
  }

 private:
  absl::StatusOr<std::string> Write(const Who& who) const {
    switch (who.kind) {
      case Who::Kind::kOwner: {
        GH_ASSIGN_OR_RETURN(const std::string owner, columns_.Owner());
        return absl::StrCat("(", owner, " = ", Call("subject", ""), ")");
      }
      case Who::Kind::kRole: {
        GH_ASSIGN_OR_RETURN(const std::string names, Array(RolesThatAre(who.name)));
        return Call("has", absl::StrCat("'roles', ", names));
      }
      case Who::Kind::kScope: {
        GH_ASSIGN_OR_RETURN(const std::string names, Array({who.name}));
        return Call("has", absl::StrCat("'scopes', ", names));
      }
      case Who::Kind::kRelation:
        return columns_.Related(who.name, Call("subject", ""));
      case Who::Kind::kAuthenticated:
        break;
    }
    return std::string("TRUE");
  }

  // Itself and all that include it, in order.
  std::vector<std::string> RolesThatAre(const std::string& role) const {
    std::vector<std::string> out = {role};
    const size_t number = roles_.at(role).number;
    for (const auto& [name, compiled] : roles_) {
      if (name != role && compiled.stands_for.Has(number)) out.push_back(name);
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  absl::StatusOr<std::string> Write(const Condition& condition) const {
    switch (condition.kind) {
      case Kind::kAll:
        return Join(condition.inner, " AND ");
      case Kind::kAny:
        return Join(condition.inner, " OR ");
      case Kind::kNot: {
        GH_ASSIGN_OR_RETURN(const std::string inner, Write(condition.inner.front()));
        return absl::StrCat("(NOT ", inner, ")");
      }
      case Kind::kLess:
        return Compare(condition, " < ");
      case Kind::kAtMost:
        return Compare(condition, " <= ");
      case Kind::kGreater:
        return Compare(condition, " > ");
      case Kind::kAtLeast:
        return Compare(condition, " >= ");
      case Kind::kPresent:
        if (condition.of == Condition::Of::kClaim) return CallOfClaim("has_claim", condition.name);
        break;
      default:
        break;
    }
    GH_ASSIGN_OR_RETURN(const std::string text, Text(condition));
    return Test(condition, text);
  }

  absl::StatusOr<std::string> Join(const std::vector<Condition>& inner,
                                   absl::string_view between) const {
    std::vector<std::string> parts;
    parts.reserve(inner.size());
    for (const Condition& one : inner) {
      GH_ASSIGN_OR_RETURN(std::string part, Write(one));
      parts.push_back(std::move(part));
    }
    return absl::StrCat("(", absl::StrJoin(parts, between), ")");
  }

  absl::StatusOr<std::string> Test(const Condition& condition, const std::string& text) const {
    if (condition.kind == Kind::kPresent) return absl::StrCat("(", text, " IS NOT NULL)");
    if (condition.kind == Kind::kEqualsClaim) {
      GH_ASSIGN_OR_RETURN(const std::string claim, CallOfClaim("claim", condition.values.front()));
      return absl::StrCat("(", text, " = ", claim, ")");
    }
    GH_ASSIGN_OR_RETURN(const std::string values, Literals(condition.values));
    if (condition.kind == Kind::kPrefix) return columns_.BeginsWith(text, values, 0);
    return absl::StrCat("(", text, " IN (", values, "))");
  }

  absl::StatusOr<std::string> Compare(const Condition& condition, absl::string_view sign) const {
    const bool is_claim = condition.of == Condition::Of::kClaim;
    GH_ASSIGN_OR_RETURN(const std::string number, is_claim
                                                      ? CallOfClaim("claim_number", condition.name)
                                                      : columns_.Number(condition.name));
    // As many digits as tell it from every other number of this type.
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.begin(), digits.end(), condition.number).ptr;
    return absl::StrCat("(", number, sign, "CAST('",
                        absl::string_view(digits.data(), static_cast<size_t>(end - digits.data())),
                        "' AS double precision))");
  }

  absl::StatusOr<std::string> Text(const Condition& condition) const {
    if (condition.of == Condition::Of::kAttribute) return columns_.Text(condition.name);
    GH_ASSIGN_OR_RETURN(const std::string claim, CallOfClaim("claim", condition.name));
    return absl::StrCat(claim, " COLLATE \"C\"");
  }

  const SqlColumns columns_;
  const CompiledRoles& roles_;
};

}  // namespace

absl::StatusOr<std::string> RlsCondition(const Resource& resource, const Action& action,
                                         const std::vector<std::string>& issuers,
                                         const CompiledRoles& roles) {
  const RuleWriter writer(*resource.table, roles);
  GH_ASSIGN_OR_RETURN(const std::string known, Array(issuers));
  std::vector<std::string> all = {Call("is_from", known)};
  // Left out, a claim would look absent.
  if (TestsClaims(action)) all.push_back(Call("knows_claims", ""));
  if (resource.tenancy != Tenancy::kNone) {
    GH_ASSIGN_OR_RETURN(std::string tenancy, writer.Write(resource.tenancy));
    all.push_back(std::move(tenancy));
  }
  for (const Rule& rule : action.deny) {
    GH_ASSIGN_OR_RETURN(const std::string denied, writer.Write(rule));
    all.push_back(absl::StrCat("(", denied, " IS FALSE)"));
  }
  std::vector<std::string> any;
  any.reserve(action.allow.size());
  for (const Rule& rule : action.allow) {
    GH_ASSIGN_OR_RETURN(std::string allowed, writer.Write(rule));
    any.push_back(std::move(allowed));
  }
  all.push_back(absl::StrCat("(", absl::StrJoin(any, "\n      OR "), ")"));
  return absl::StrJoin(all, "\n    AND ");
}

}  // namespace gatehouse::policy
