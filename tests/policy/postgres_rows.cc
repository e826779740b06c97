#include "tests/policy/postgres_rows.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"

namespace gatehouse::policy {
namespace {

constexpr char kSomeId[] = "7f0c3b1e-94d7-4b0c-8a27-1f2e3d4c5b6a";
constexpr char kSomeIdInCapitals[] = "7F0C3B1E-94D7-4B0C-8A27-1F2E3D4C5B6A";
constexpr char kOtherId[] = "00000000-0000-4000-8000-000000000001";

using Values = std::vector<std::optional<std::string>>;

// "($1, $2), ($3, $4)"
std::string Places(size_t rows, int columns) {
  std::vector<std::string> lines;
  lines.reserve(rows);
  int number = 0;
  for (size_t i = 0; i < rows; ++i) {
    std::vector<std::string> line;
    line.reserve(static_cast<size_t>(columns));
    for (int j = 0; j < columns; ++j) line.push_back(absl::StrCat("$", ++number));
    lines.push_back(absl::StrCat("(", absl::StrJoin(line, ", "), ")"));
  }
  return absl::StrJoin(lines, ", ");
}

}  // namespace

const std::vector<ColumnTypes>& AllColumnTypes() {
  const auto none = std::string(399, '0');
  static const auto* const all = new std::vector<ColumnTypes>{
      {.name = "text and integer",
       .owner = "text",
       .tenant = "varchar(1001)",
       .status = "varchar",
       .level = "integer",
       .levels = {"2147483647", "-2147483648"}},
      {.name = "citext and bigint",
       .owner = "citext",
       .tenant = "citext",
       .status = "citext",
       .level = "bigint",
       .id = "citext",
       .join_id = "citext",
       .levels = {"9007199254740993", "-9007199254740993", "9007199254740992", "9007199254740991",
                  "9007199254740994", "9223372036854775807", "-9223372036854775808"}},
      {.name = "no case and numeric",
       .owner = "text COLLATE no_case",
       .tenant = "text COLLATE no_case",
       .status = "text COLLATE no_case",
       .level = "numeric",
       .id = "text COLLATE no_case",
       .join_id = "text COLLATE no_case",
       .level_type = Column::Type::kNumber,
       .levels = {"0.1", "0.10000000000000000001", "0.0999999999999999999999", "1.50", "NaN",
                  "9007199254740992.5", absl::StrCat("0.", none, "1"),
                  absl::StrCat("-0.", none, "1"), absl::StrCat("1", none)}},
      {.name = "Unicode collation and double",
       .owner = "varchar COLLATE \"und-x-icu\"",
       .tenant = "text COLLATE \"und-x-icu\"",
       .status = "text COLLATE \"und-x-icu\"",
       .level = "double precision",
       .id = "varchar COLLATE \"und-x-icu\"",
       .join_id = "citext",
       .level_type = Column::Type::kNumber,
       .levels = {"0.1", "0.09999999999999999", "1e+300", "5e-324", "1.5", "NaN", "Infinity",
                  "-Infinity"}},
      {.name = "uuid and smallint",
       .owner = "uuid",
       .tenant = "text",
       .status = "text",
       .level = "smallint",
       .owners = {{"ada", kSomeId}, {"Ada", kSomeId}, {"bob", kOtherId}},
       .subjects = {{"ada", kSomeId}, {"Ada", kSomeIdInCapitals}, {"bob", kOtherId}}},
      {.name = "numbers for ids",
       .owner = "bigint",
       .tenant = "varchar",
       .status = "text",
       .level = "integer",
       .join_id = "bigint",
       .owners = {{"ada", "1"}, {"Ada", "10"}, {"bob", "-1"}, {"1", "1"}},
       .subjects = {{"ada", "1"}, {"Ada", "01"}, {"bob", "-1"}, {"%", "1.0"}}}};
  return *all;
}

absl::StatusOr<std::unique_ptr<RowsInPostgres>> RowsInPostgres::Make(PostgresConnection& connection,
                                                                     const ColumnTypes& types) {
  GH_RETURN_IF_ERROR(connection.Run(
      absl::StrCat("DROP TABLE IF EXISTS tasks, task_editor, task_viewer;"
                   "CREATE EXTENSION IF NOT EXISTS citext;"
                   "CREATE COLLATION IF NOT EXISTS no_case"
                   " (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
                   "CREATE TABLE tasks (id ",
                   types.id, ", owner_id ", types.owner, ", org ", types.tenant, ", status ",
                   types.status, ", level ", types.level,
                   ", touched boolean);"
                   "CREATE TABLE task_editor (task ",
                   types.join_id, ", member ", types.owner, "); CREATE TABLE task_viewer (task ",
                   types.join_id, ", member ", types.owner, ")")));
  return std::unique_ptr<RowsInPostgres>(new RowsInPostgres(connection, types));
}

std::vector<Row> RowsInPostgres::NextRows(RandomPolicies& random, int count) {
  const auto fit = [&](std::string& owner) {
    if (types_.owners.empty()) return;
    const auto it = types_.owners.find(owner);
    owner = it == types_.owners.end() ? "" : it->second;
  };
  std::vector<Row> out;
  out.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    Row row = random.NextRow(i);
    fit(row.owner);
    for (auto& [name, subjects] : row.relations) {
      for (std::string& subject : subjects) fit(subject);
      if (types_.join_id == "bigint" && !IsPlainInteger(row.id)) subjects.clear();
    }
    const bool is_narrow = types_.level == "integer" || types_.level == "smallint";
    if (is_narrow && row.attributes[1].second.size() > 4) row.attributes[1].second = "";
    if (!types_.levels.empty() && random_() % 4 == 0) {
      row.attributes[1].second = types_.levels[random_() % types_.levels.size()];
    }
    out.push_back(std::move(row));
  }
  return out;
}

Principal RowsInPostgres::NextPrincipal(RandomPolicies& random) {
  Principal out = random.NextPrincipal();
  const auto it = types_.subjects.find(std::string(out.subject));
  if (it != types_.subjects.end()) out.subject = it->second;
  if (random_() % 2 == 0) out.scopes.emplace_back("all");
  return out;
}

Definition RowsInPostgres::NextPolicy(RandomPolicies& random) {
  Definition out = random.NextPolicy();
  // Else all rows are too rarely allowed.
  if (random_() % 2 == 0) {
    out.resources[0].tenancy = Tenancy::kNone;
    for (Action& action : out.resources[0].actions) {
      action.allow.push_back({{Who::Kind::kScope, "all"}});
    }
  }
  Table table = RandomPolicies::TableOfRows();
  table.attributes.at("level").type = types_.level_type;
  table.commands = {
      {"select", "read"}, {"insert", "write"}, {"update", "write"}, {"delete", "read"}};
  out.resources[0].table = std::move(table);
  return out;
}

absl::Status RowsInPostgres::Fill(const std::vector<Row>& rows) {
  GH_RETURN_IF_ERROR(
      connection_.Run("DELETE FROM tasks; DELETE FROM task_editor; DELETE FROM task_viewer"));
  GH_RETURN_IF_ERROR(Insert(rows));
  return Relate(rows);
}

absl::Status RowsInPostgres::Insert(const std::vector<Row>& rows) {
  Values values;
  const auto add = [&](const std::string& value, bool may_be_empty) {
    as_null_ = !as_null_;
    const bool is_null = value.empty() && (as_null_ || !may_be_empty);
    values.push_back(is_null ? std::nullopt : std::optional<std::string>(value));
  };
  for (const Row& row : rows) {
    values.emplace_back(row.id);
    add(row.owner, types_.owners.empty());
    add(row.tenant, true);
    add(row.attributes[0].second, true);
    add(row.attributes[1].second, false);
  }
  return connection_
      .Query(absl::StrCat("INSERT INTO tasks (id, owner_id, org, status, level) VALUES ",
                          Places(rows.size(), 5)),
             values)
      .status();
}

absl::Status RowsInPostgres::Relate(const std::vector<Row>& rows) {
  std::map<std::string, Values> tables;
  for (const Row& row : rows) {
    for (const auto& [name, subjects] : row.relations) {
      for (const std::string& subject : subjects) {
        if (subject.empty()) continue;
        tables[name].emplace_back(row.id);
        tables[name].emplace_back(subject);
      }
    }
  }
  for (const auto& [name, values] : tables) {
    GH_RETURN_IF_ERROR(connection_
                           .Query(absl::StrCat("INSERT INTO task_", name, " VALUES ",
                                               Places(values.size() / 2, 2)),
                                  values)
                           .status());
  }
  return absl::OkStatus();
}

namespace {

std::set<std::string> Ids(const PostgresConnection::Rows& rows) {
  std::set<std::string> out;
  for (const auto& row : rows) out.insert(row[0].value_or(""));
  return out;
}

}  // namespace

absl::StatusOr<std::set<std::string>> RowsInPostgres::Select(const Sql& sql) const {
  Values values;
  for (const auto& parameter : sql.parameters) {
    const auto* const text = std::get_if<std::string>(&parameter);
    values.emplace_back(text != nullptr ? *text
                                        : absl::StrFormat("%.17g", std::get<double>(parameter)));
  }
  GH_ASSIGN_OR_RETURN(
      const auto rows,
      connection_.Query(absl::StrCat("SELECT id FROM tasks WHERE ", sql.text), values));
  return Ids(rows);
}

absl::StatusOr<std::set<std::string>> RowsInPostgres::SelectWhere(
    const std::string& condition) const {
  return Select({condition, {}});
}

}  // namespace gatehouse::policy
