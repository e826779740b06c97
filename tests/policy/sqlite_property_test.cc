#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/policy/policy.h"
#include "server/policy/sql.h"
#include "tests/policy/cases.h"
#include "tests/policy/random_policy.h"

namespace gatehouse::policy {
namespace {

class RowsInSqlite {
 public:
  RowsInSqlite() : db_(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
    // Columns as people have them: without case, numbers for text and text for ids.
    db_.exec(
        "CREATE TABLE tasks (id TEXT PRIMARY KEY, owner_id TEXT COLLATE NOCASE, org VARCHAR(20),"
        " status INTEGER, level INTEGER);"
        "CREATE TABLE task_editor (task TEXT COLLATE NOCASE, member TEXT COLLATE NOCASE);"
        "CREATE TABLE task_viewer (task INTEGER, member)");
  }

  void Fill(const std::vector<Row>& rows) {
    db_.exec("DELETE FROM tasks; DELETE FROM task_editor; DELETE FROM task_viewer");
    bool as_null = false;
    for (const Row& row : rows) {
      SQLite::Statement insert(db_, "INSERT INTO tasks VALUES (?, ?, ?, ?, ?)");
      insert.bind(1, row.id);
      const auto bind = [&](int index, const std::string& value) {
        as_null = !as_null;
        if (value.empty() && (as_null || index == 5)) return;  // NULL
        insert.bind(index, value);
      };
      bind(2, row.owner);
      bind(3, row.tenant);
      bind(4, row.attributes[0].second);
      bind(5, row.attributes[1].second);
      insert.exec();
      for (const auto& [name, subjects] : row.relations) {
        for (const std::string& subject : subjects) {
          SQLite::Statement relate(db_, absl::StrCat("INSERT INTO task_", name, " VALUES (?, ?)"));
          relate.bind(1, row.id);
          relate.bind(2, subject);
          relate.exec();
        }
      }
    }
  }

  // As the column of integers in task_viewer holds them.
  static std::vector<Row> NextRows(RandomPolicies& random, int count) {
    std::vector<Row> out;
    out.reserve(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) {
      Row row = random.NextRow(i);
      if (!IsPlainInteger(row.id)) row.relations[1].second.clear();
      out.push_back(std::move(row));
    }
    return out;
  }

  std::set<std::string> Select(const Sql& sql) {
    SQLite::Statement query(db_, absl::StrCat("SELECT id FROM tasks WHERE ", sql.text));
    int index = 0;
    for (const auto& parameter : sql.parameters) {
      ++index;
      if (const auto* text = std::get_if<std::string>(&parameter)) {
        query.bind(index, *text);
      } else {
        query.bind(index, std::get<double>(parameter));
      }
    }
    std::set<std::string> ids;
    while (query.executeStep()) ids.insert(query.getColumn(0).getString());
    return ids;
  }

 private:
  SQLite::Database db_;
};

// Changes the SQL of the engine into that of a broken one.
using Breakage = std::function<std::string(const std::string&)>;

// Where filter and engine disagree first, or what failed; empty if nowhere.
std::string FirstDisagreement(int policies, const Breakage& breakage, Tally& tally, int& filters) {
  RandomPolicies random(4);
  RowsInSqlite database;
  for (int i = 0; i < policies; ++i) {
    const std::vector<Row> rows = RowsInSqlite::NextRows(random, 25);
    database.Fill(rows);
    const Definition definition = random.NextPolicy();
    const auto policy = Policy::Compile(definition, {kIssuer, kOtherIssuer});
    if (!policy.ok()) continue;
    for (int j = 0; j < 10; ++j) {
      const Principal who = random.NextPrincipal();
      const std::string action = j % 2 == 0 ? "read" : "write";
      auto sql = ToSql(policy->Filter(who, "task", action), RandomPolicies::TableOfRows(),
                       Dialect::kSqlite);
      if (!sql.ok()) return sql.status().ToString();
      sql->text = breakage(sql->text);
      const std::set<std::string> expected = AllowedRows(*policy, who, rows, action);
      for (const Row& row : rows) tally.Count(definition, action, expected.count(row.id) > 0);
      if (database.Select(*sql) != expected) return absl::StrCat("policy ", i, ": ", sql->text);
      ++filters;
    }
  }
  return "";
}

TEST(PolicySqliteTest, FilterSelectsExactlyTheRowsThatDecideAllows) {
  Tally tally;
  int filters = 0;
  EXPECT_EQ(
      FirstDisagreement(2000, [](const std::string& sql) { return sql; }, tally, filters), "");
  std::printf("%d filters over 25 rows\n", filters);
  EXPECT_GE(filters, 15'000);
  EXPECT_GE(tally.Report(), 0.1);
}

TEST(PolicySqliteTest, AnEngineThatIsBrokenOnPurposeIsFound) {
  const std::map<std::string, std::map<std::string, std::string>> engines = {
      {"text is compared as the column likes", {{" COLLATE BINARY", ""}}},
      {"ids are compared as the column likes",
       {{R"(CAST(gatehouse_r."task" AS TEXT) COLLATE BINARY)", R"(gatehouse_r."task")"},
        {R"(CAST("tasks"."id" AS TEXT) COLLATE BINARY)", R"("tasks"."id")"}}},
      {"ids are compared without case",
       {{R"(CAST(gatehouse_r."task" AS TEXT) COLLATE BINARY)",
         R"(CAST(gatehouse_r."task" AS TEXT))"},
        {R"(CAST("tasks"."id" AS TEXT) COLLATE BINARY)", R"(CAST("tasks"."id" AS TEXT))"}}},
      {"NULL is false where it denies", {{" IS FALSE)", " IS NOT TRUE)"}}},
      {"NULL is false under not", {{"(NOT ", "(TRUE IS NOT "}}},
      {"empty is a value", {{"NULLIF(", "COALESCE("}}},
      {"great numbers are not compared", {{"9007199254740993 THEN", "9 THEN"}}},
      {"numbers are compared as text", {{" AS REAL)", " AS TEXT)"}}},
      {"a prefix has any length", {{"substr(", "max("}}},
      {"a relation is anybody's", {{"EXISTS (", "EXISTS (SELECT 1 UNION "}}}};
  for (const auto& [name, instead] : engines) {
    Tally tally;
    int filters = 0;
    const std::string found = FirstDisagreement(
        2000,
        [&, &edits = instead](const std::string& sql) { return absl::StrReplaceAll(sql, edits); },
        tally, filters);
    std::printf("%s: found after %d filters: %.60s\n", name.c_str(), filters, found.c_str());
    EXPECT_TRUE(absl::StartsWith(found, "policy ")) << name << ": " << found;
  }
}

// The indexes that the documentation names.
TEST(PolicySqliteTest, FilterLooksUpByAnIndexOnItsExpressions) {
  SQLite::Database db(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  db.exec(
      "CREATE TABLE tasks (id INTEGER PRIMARY KEY, owner_id TEXT COLLATE NOCASE, org INTEGER);"
      "CREATE TABLE task_editors (task_id INTEGER, user_id TEXT COLLATE NOCASE);"
      "CREATE INDEX by_owner ON tasks (NULLIF(CAST(owner_id AS TEXT), '') COLLATE BINARY);"
      "CREATE INDEX by_tenant ON tasks (NULLIF(CAST(org AS TEXT), '') COLLATE BINARY);"
      "CREATE INDEX by_editor ON task_editors (CAST(user_id AS TEXT) COLLATE BINARY,"
      " CAST(task_id AS TEXT) COLLATE BINARY)");
  Table table{.name = "tasks", .id = "id"};
  table.owner = Column{"owner_id"};
  table.tenant = Column{"org"};
  table.relations = {{"editor", {"task_editors", "task_id", "user_id"}}};
  const auto plan_of = [&](Expression::Kind kind, Expression::Of of) {
    Expression one;
    one.kind = kind;
    one.of = of;
    one.field = "editor";
    one.values = {"7"};
    const auto sql = ToSql(one, table, Dialect::kSqlite);
    EXPECT_TRUE(sql.ok()) << sql.status();
    SQLite::Statement query(
        db, absl::StrCat("EXPLAIN QUERY PLAN SELECT * FROM tasks WHERE ", sql->text));
    std::string plan;
    while (query.executeStep()) absl::StrAppend(&plan, query.getColumn(3).getString(), "\n");
    return plan;
  };
  using Kind = Expression::Kind;
  using Of = Expression::Of;
  EXPECT_TRUE(absl::StrContains(plan_of(Kind::kEquals, Of::kOwner), "INDEX by_owner (<expr>=?)"));
  EXPECT_TRUE(absl::StrContains(plan_of(Kind::kEquals, Of::kTenant), "INDEX by_tenant (<expr>=?)"));
  const std::string related = plan_of(Kind::kRelated, Of::kRelation);
  EXPECT_TRUE(absl::StrContains(related, "INDEX by_editor (<expr>=? AND <expr>=?)")) << related;
}

}  // namespace
}  // namespace gatehouse::policy
