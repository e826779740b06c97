#pragma once

#include <string>
#include <variant>
#include <vector>

#include "gatehouse/decision.h"

namespace gatehouse {

// A condition on a row, three-valued as SQL's: a row is selected where it is true.
struct FilterCondition {
  enum class Operation {
    kUnknown,  // selects nothing, and makes a kAll around it select nothing
    kAll,
    kAny,
    kNot,
    kIsFalse,
    kPresent,
    kEquals,
    kIn,
    kPrefix,
    kLessThan,
    kAtMost,
    kGreaterThan,
    kAtLeast,
    kRelated,
  };
  Operation operation = Operation::kUnknown;
  // owner, tenant, attributes.NAME or relations.NAME
  std::string field;
  std::vector<std::string> values;
  double number = 0;
  std::vector<FilterCondition> inner;
};

// For a WHERE clause, with the placeholders ?1 (SQLite) or $1 (PostgreSQL).
struct FilterSql {
  std::string where;
  std::vector<std::variant<std::string, double>> parameters;
};

// Which rows of a table somebody may see. What is default-made selects nothing.
struct Filter {
  enum class Kind { kNone, kAll, kCondition };
  Kind kind = Kind::kNone;
  FilterCondition condition;
  // Empty `where` if the policy names no table for the resource type.
  FilterSql sqlite;
  FilterSql postgres;
};

struct FilterAnswer {
  // A bad token is a denial with 401, not an empty list.
  Answer answer;
  // Selects nothing unless `answer` is allowed.
  Filter filter;
};

}  // namespace gatehouse
