#pragma once

#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "server/policy/columns.h"
#include "server/policy/expression.h"

namespace gatehouse::policy {

enum class Dialect { kSqlite, kPostgres };

// A condition for a WHERE clause. Values are only ever parameters, in the order of
// their appearance: "?1" in SQLite, "$1" in PostgreSQL.
struct Sql {
  std::string text;
  std::vector<std::variant<std::string, double>> parameters;
};

// `expression` over the columns of `table`, which has passed its check. Text is
// compared as bytes whatever the column's type or collation; NULL and empty are
// unknown. FAILED_PRECONDITION, naming the field, if the table has no column for it.
absl::StatusOr<Sql> ToSql(const Expression& expression, const Table& table, Dialect dialect);

}  // namespace gatehouse::policy
