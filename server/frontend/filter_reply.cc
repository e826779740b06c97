#include "server/frontend/filter_reply.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/policy/sql.h"

namespace gatehouse::frontend {
namespace {

using policy::Expression;
using policy::Truth;
using Wire = v1::FilterCondition;

Wire::Operation OperationOf(Expression::Kind kind) {
  using Kind = Expression::Kind;
  switch (kind) {
    case Kind::kConstant:
      return Wire::OPERATION_UNSPECIFIED;
    case Kind::kAll:
      return Wire::OPERATION_ALL;
    case Kind::kAny:
      return Wire::OPERATION_ANY;
    case Kind::kNot:
      return Wire::OPERATION_NOT;
    case Kind::kIsFalse:
      return Wire::OPERATION_IS_FALSE;
    case Kind::kPresent:
      return Wire::OPERATION_PRESENT;
    case Kind::kEquals:
      return Wire::OPERATION_EQUALS;
    case Kind::kIn:
      return Wire::OPERATION_IN;
    case Kind::kPrefix:
      return Wire::OPERATION_PREFIX;
    case Kind::kLess:
      return Wire::OPERATION_LESS_THAN;
    case Kind::kAtMost:
      return Wire::OPERATION_AT_MOST;
    case Kind::kGreater:
      return Wire::OPERATION_GREATER_THAN;
    case Kind::kAtLeast:
      return Wire::OPERATION_AT_LEAST;
    case Kind::kRelated:
      return Wire::OPERATION_RELATED;
  }
  return Wire::OPERATION_UNSPECIFIED;
}

std::string FieldOf(const Expression& expression) {
  switch (expression.of) {
    case Expression::Of::kOwner:
      return "owner";
    case Expression::Of::kTenant:
      return "tenant";
    case Expression::Of::kAttribute:
      return absl::StrCat("attributes.", expression.field);
    case Expression::Of::kRelation:
      return absl::StrCat("relations.", expression.field);
  }
  return "";
}

void FillCondition(const Expression& expression, Wire& out) {
  if (expression.kind == Expression::Kind::kConstant) {
    // Of true constants and false ones nothing is left but these, without members.
    if (expression.constant == Truth::kTrue) out.set_operation(Wire::OPERATION_ALL);
    if (expression.constant == Truth::kFalse) out.set_operation(Wire::OPERATION_ANY);
    return;
  }
  out.set_operation(OperationOf(expression.kind));
  for (const Expression& inner : expression.inner) FillCondition(inner, *out.add_inner());
  if (!expression.inner.empty()) return;
  out.set_field(FieldOf(expression));
  for (const std::string& value : expression.values) out.add_values(value);
  out.set_number(expression.number);
}

absl::Status FillSql(const Expression& expression, const policy::Table& table,
                     policy::Dialect dialect, v1::FilterSql& out) {
  GH_ASSIGN_OR_RETURN(const policy::Sql sql, policy::ToSql(expression, table, dialect));
  out.set_where(sql.text);
  for (const auto& parameter : sql.parameters) {
    if (const auto* text = std::get_if<std::string>(&parameter)) {
      out.add_parameters()->set_text(*text);
    } else {
      out.add_parameters()->set_number(std::get<double>(parameter));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status FillFilter(const Expression& expression, const policy::Table* table, v1::Filter& out) {
  if (expression.is(Truth::kTrue)) {
    out.set_kind(v1::Filter::KIND_ALL);
  } else if (expression.kind != Expression::Kind::kConstant) {
    out.set_kind(v1::Filter::KIND_CONDITION);
    FillCondition(expression, *out.mutable_condition());
  }
  if (table == nullptr) return absl::OkStatus();
  GH_RETURN_IF_ERROR(FillSql(expression, *table, policy::Dialect::kSqlite, *out.mutable_sqlite()));
  return FillSql(expression, *table, policy::Dialect::kPostgres, *out.mutable_postgres());
}

}  // namespace gatehouse::frontend
