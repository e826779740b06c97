#pragma once

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/policy/definition.h"
#include "server/policy/sql.h"
#include "tests/policy/random_policy.h"
#include "tests/support/postgres.h"

namespace gatehouse::policy {

// What the columns of a table are in PostgreSQL.
struct ColumnTypes {
  std::string name;
  std::string owner;  // and of the join tables' subjects
  std::string tenant;
  std::string status;
  std::string level;
  std::string id = "text";
  std::string join_id = "text";  // of the join tables' tasks
  Column::Type level_type = Column::Type::kInteger;
  // Further values of level, as the column writes them.
  std::vector<std::string> levels = {};
  // If given, the only owners that the column takes, and what stands for the subjects of
  // the random rows and of the random principals.
  std::map<std::string, std::string> owners = {};
  std::map<std::string, std::string> subjects = {};
};

const std::vector<ColumnTypes>& AllColumnTypes();

// Random rows in a real table of such columns.
class RowsInPostgres {
 public:
  // Makes the tables anew. `connection` outlives this.
  static absl::StatusOr<std::unique_ptr<RowsInPostgres>> Make(PostgresConnection& connection,
                                                              const ColumnTypes& types);

  // `random`'s, as these columns hold them.
  std::vector<Row> NextRows(RandomPolicies& random, int count);
  Principal NextPrincipal(RandomPolicies& random);
  // With the table, from which each action may have a command.
  Definition NextPolicy(RandomPolicies& random);

  absl::Status Fill(const std::vector<Row>& rows);
  absl::Status Insert(const std::vector<Row>& rows);
  absl::Status Relate(const std::vector<Row>& rows);

  absl::StatusOr<std::set<std::string>> Select(const Sql& sql) const;
  absl::StatusOr<std::set<std::string>> SelectWhere(const std::string& condition) const;

 private:
  RowsInPostgres(PostgresConnection& connection, const ColumnTypes& types)
      : connection_(connection), types_(types) {}

  PostgresConnection& connection_;
  const ColumnTypes types_;
  std::mt19937 random_{7};
  bool as_null_ = false;
};

}  // namespace gatehouse::policy
