#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/policy/columns.h"
#include "server/policy/sql.h"

namespace gatehouse::policy {

// The facts of a row in SQL, as Decide reads them from a question. FAILED_PRECONDITION,
// naming the fact, where the table has no column for it. Inside of this folder only.
class SqlColumns {
 public:
  // `table` has passed its check, and outlives this.
  SqlColumns(const Table& table, Dialect dialect) : table_(table), dialect_(dialect) {}

  // Text that compares byte by byte, whatever the column's type or collation; NULL where
  // it is empty.
  absl::StatusOr<std::string> Owner() const;
  absl::StatusOr<std::string> Tenant() const;
  absl::StatusOr<std::string> Text(const std::string& attribute) const;
  // NULL beyond the range that the engine compares in.
  absl::StatusOr<std::string> Number(const std::string& attribute) const;
  // Whether the relation's join table has a row for this row and `subject`, which is SQL.
  // The ids are compared byte by byte too: "a" is not "A", "1" not "01".
  absl::StatusOr<std::string> Related(const std::string& relation, absl::string_view subject) const;

  // What Tenant, Owner and Related can be looked up by, one index each: what stands behind
  // "CREATE INDEX ON" in PostgreSQL.
  std::vector<std::string> Indexes() const;

  // `text` and `prefix` are SQL, the latter of so many characters.
  std::string BeginsWith(absl::string_view text, absl::string_view prefix, size_t characters) const;

 private:
  absl::StatusOr<const Column*> Find(const std::string& attribute) const;
  std::string TextOf(const Column& column) const;
  std::string NotEmpty(const std::string& column) const;
  // `column` as text that compares byte by byte.
  std::string Bytes(const std::string& column) const;
  std::string Qualified(absl::string_view column) const;
  absl::string_view UnqualifiedTable() const;

  const Table& table_;
  const Dialect dialect_;
};

// A table's name, with its schema if it has one, between quotation marks.
std::string QuotedTable(const std::string& table);

}  // namespace gatehouse::policy
