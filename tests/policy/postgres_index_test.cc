#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "server/policy/rls.h"
#include "server/policy/sql.h"
#include "tests/policy/postgres_fixture.h"

namespace gatehouse::policy {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kIssuer[] = "https://issuer.example";

Table TasksTable() {
  Table table{.name = "tasks", .id = "id"};
  table.owner = Column{"owner_id"};
  table.tenant = Column{"org", Column::Type::kInteger};
  table.relations = {{"editor", {"task_editors", "task_id", "user_id"}}};
  table.commands = {{"select", "own"}, {"delete", "edit"}};
  return table;
}

Definition PolicyOfTasks() {
  Definition out;
  out.resources = {{.type = "task",
                    .tenancy = Tenancy::kNone,
                    .actions = {{.name = "own", .allow = {{{Who::Kind::kOwner}}}},
                                {.name = "edit", .allow = {{{Who::Kind::kRelation, "editor"}}}}},
                    .table = TasksTable()}};
  return out;
}

// Of types that hide behind a cast what they are.
class PostgresIndexTest : public PostgresFixture {
 protected:
  void SetUp() override {
    PostgresFixture::SetUp();
    if (HasFatalFailure()) return;
    Do("DROP TABLE IF EXISTS tasks, task_editors; DROP ROLE IF EXISTS backend; CREATE ROLE backend;"
       "CREATE TABLE tasks (id bigint PRIMARY KEY, owner_id varchar, org integer);"
       "CREATE TABLE task_editors (task_id text, user_id varchar(100));"
       "GRANT ALL ON tasks, task_editors TO backend;"
       "INSERT INTO tasks SELECT n, 'user' || n % 500, n % 500 FROM generate_series(1, 5000) n;"
       "INSERT INTO task_editors SELECT n, 'user' || n % 500 FROM generate_series(1, 5000) n");
    const auto script = RowLevelSecurity(PolicyOfTasks(), {kIssuer}, {"task"});
    ASSERT_TRUE(script.ok()) << script.status();
    script_ = *script;
  }
  void TearDown() override {
    if (connection_ != nullptr) Do("DROP TABLE tasks, task_editors; DROP ROLE backend");
  }

  void Do(const std::string& statements) {
    const absl::Status status = connection_->Run(statements);
    ASSERT_TRUE(status.ok()) << status;
  }

  // Those that the script names in its comments.
  void MakeIndexes() {
    int made = 0;
    for (const absl::string_view line : absl::StrSplit(script_, '\n')) {
      constexpr absl::string_view kPrefix = "--   CREATE INDEX ON ";
      if (line.substr(0, kPrefix.size()) != kPrefix) continue;
      Do(absl::StrCat("CREATE INDEX index_", made++, " ON ", line.substr(kPrefix.size())));
    }
    EXPECT_EQ(made, 3);
    Do("ANALYZE tasks, task_editors");
  }

  std::string PlanOf(const std::string& query,
                     const std::vector<std::optional<std::string>>& values = {}) {
    const auto rows = connection_->Query("EXPLAIN " + query, values);
    EXPECT_TRUE(rows.ok()) << rows.status();
    std::string out;
    if (!rows.ok()) return out;
    for (const auto& row : *rows) absl::StrAppend(&out, row[0].value_or(""), "\n");
    return out;
  }

  std::string PlanOfFilter(Expression::Kind kind, Expression::Of of, const std::string& field) {
    Expression one;
    one.kind = kind;
    one.of = of;
    one.field = field;
    one.values = {"7"};
    const auto sql = ToSql(one, TasksTable(), Dialect::kPostgres);
    EXPECT_TRUE(sql.ok()) << sql.status();
    return sql.ok() ? PlanOf("SELECT * FROM tasks WHERE " + sql->text, {"7"}) : "";
  }

  std::string script_;
};

TEST_F(PostgresIndexTest, FilterLooksUpByTheIndexesThatTheScriptNames) {
  using Kind = Expression::Kind;
  using Of = Expression::Of;
  EXPECT_THAT(PlanOfFilter(Kind::kEquals, Of::kOwner, ""), Not(HasSubstr("index_")));
  MakeIndexes();
  EXPECT_THAT(PlanOfFilter(Kind::kEquals, Of::kTenant, ""),
              ContainsRegex("on index_0.*Index Cond"));
  EXPECT_THAT(PlanOfFilter(Kind::kEquals, Of::kOwner, ""), ContainsRegex("on index_1.*Index Cond"));
  EXPECT_THAT(PlanOfFilter(Kind::kRelated, Of::kRelation, "editor"), HasSubstr("index_2"));
}

TEST_F(PostgresIndexTest, RowLevelSecurityLooksUpByThemToo) {
  MakeIndexes();
  Do(script_);
  Do("SET ROLE backend");
  EXPECT_THAT(PlanOf("SELECT * FROM tasks"), AllOf(HasSubstr("index_1"), HasSubstr("Index Cond")));
  Do("RESET ROLE");
}

}  // namespace
}  // namespace gatehouse::policy
