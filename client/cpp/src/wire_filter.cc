#include "client/cpp/src/wire_filter.h"

#include "gatehouse/v1/filter.pb.h"

namespace gatehouse::client {
namespace {

using Operation = FilterCondition::Operation;

Operation OperationFrom(v1::FilterCondition::Operation operation) {
  switch (operation) {
    case v1::FilterCondition::OPERATION_ALL:
      return Operation::kAll;
    case v1::FilterCondition::OPERATION_ANY:
      return Operation::kAny;
    case v1::FilterCondition::OPERATION_NOT:
      return Operation::kNot;
    case v1::FilterCondition::OPERATION_IS_FALSE:
      return Operation::kIsFalse;
    case v1::FilterCondition::OPERATION_PRESENT:
      return Operation::kPresent;
    case v1::FilterCondition::OPERATION_EQUALS:
      return Operation::kEquals;
    case v1::FilterCondition::OPERATION_IN:
      return Operation::kIn;
    case v1::FilterCondition::OPERATION_PREFIX:
      return Operation::kPrefix;
    case v1::FilterCondition::OPERATION_LESS_THAN:
      return Operation::kLessThan;
    case v1::FilterCondition::OPERATION_AT_MOST:
      return Operation::kAtMost;
    case v1::FilterCondition::OPERATION_GREATER_THAN:
      return Operation::kGreaterThan;
    case v1::FilterCondition::OPERATION_AT_LEAST:
      return Operation::kAtLeast;
    case v1::FilterCondition::OPERATION_RELATED:
      return Operation::kRelated;
    default:
      return Operation::kUnknown;
  }
}

FilterCondition ConditionFrom(const v1::FilterCondition& from) {
  FilterCondition condition;
  condition.operation = OperationFrom(from.operation());
  condition.field = from.field();
  condition.values.assign(from.values().begin(), from.values().end());
  condition.number = from.number();
  condition.inner.reserve(static_cast<size_t>(from.inner_size()));
  // No deeper than protobuf lets a message be.
  for (const v1::FilterCondition& inner : from.inner()) {
    condition.inner.push_back(ConditionFrom(inner));
  }
  return condition;
}

FilterSql SqlFrom(const v1::FilterSql& from) {
  FilterSql sql;
  sql.where = from.where();
  sql.parameters.reserve(static_cast<size_t>(from.parameters_size()));
  for (const v1::FilterParameter& parameter : from.parameters()) {
    if (parameter.has_number()) {
      sql.parameters.emplace_back(parameter.number());
    } else if (parameter.has_text()) {
      sql.parameters.emplace_back(parameter.text());
    } else {
      return {"FALSE", {}};  // of a kind that is not known
    }
  }
  return sql;
}

}  // namespace

gatehouse::Filter FilterFrom(const v1::Filter& from) {
  gatehouse::Filter filter;
  switch (from.kind()) {
    case v1::Filter::KIND_ALL:
      filter.kind = gatehouse::Filter::Kind::kAll;
      break;
    case v1::Filter::KIND_CONDITION:
      filter.kind = gatehouse::Filter::Kind::kCondition;
      filter.condition = ConditionFrom(from.condition());
      break;
    default:
      if (from.has_sqlite()) filter.sqlite.where = "FALSE";
      if (from.has_postgres()) filter.postgres.where = "FALSE";
      return filter;
  }
  if (from.has_sqlite()) filter.sqlite = SqlFrom(from.sqlite());
  if (from.has_postgres()) filter.postgres = SqlFrom(from.postgres());
  return filter;
}

}  // namespace gatehouse::client
