#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/cli/child.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kConfig[] = R"(issuers:
  - issuer: https://issuer.example
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_url: "https://issuer.example/jwks"}
revocations: {sqlite: {path: a.db}}
policy:
  resources:
    memo:
      actions: {read: {allow: [owner]}}
    note:
      actions: {read: {allow: [owner]}}
      table: {name: notes, owner: owner_id, tenant: org}
    task:
      tenant: none
      actions:
        read:
          allow: [owner, "relation:editor"]
          deny: [{when: [{claim: /a/b, equals: "it's"}]}]
        close: {allow: [{who: "scope:close", when: [{attribute: size, less_than: "0.1"}]}]}
      table:
        name: app.tasks
        owner: owner_id
        attributes: {size: {name: bytes, type: number}}
        relations: {editor: {table: task_editors, resource: task_id, subject: user_id}}
        commands: {select: read, delete: close}
)";

class PolicyRlsTest : public ::testing::Test {
 protected:
  PolicyRlsTest() { std::filesystem::create_directories(folder_); }
  ~PolicyRlsTest() override { std::filesystem::remove_all(folder_); }

  Result Rls(const std::string& config, std::vector<std::string> arguments) {
    std::ofstream(folder_ / "g.yaml") << config;
    arguments.insert(arguments.begin(), {"policy", "rls", "--config", folder_ / "g.yaml"});
    return RunChild({.arguments = arguments});
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(PolicyRlsTest, WritesWhatTheCommandsOfATableAreHeldBy) {
  const Result result = Rls(kConfig, {"--table", "task"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(StartsWith("-- Row-level security, written by `gatehouse policy"),
                                HasSubstr("-- Claims that the policy tests, so that claims must "
                                          "be given: /a/b\n")));
  EXPECT_EQ(result.out.substr(result.out.find("-- task: ")), R"(-- task: read
CREATE POLICY gatehouse_select ON "app"."tasks" FOR SELECT
  USING (
    (SELECT gatehouse.is_from(ARRAY['https://issuer.example']::text[]))
    AND (SELECT gatehouse.knows_claims())
    AND ((TRUE AND ((SELECT gatehouse.claim('a', 'b')) COLLATE "C" IN ('it''s'))) IS FALSE)
    AND (((NULLIF(CAST("tasks"."owner_id" AS text) COLLATE "C", '') = (SELECT gatehouse.subject())))
      OR (EXISTS (SELECT 1 FROM "task_editors" AS gatehouse_r WHERE CAST(gatehouse_r."task_id" AS text) COLLATE "C" = CAST("tasks"."id" AS text) COLLATE "C" AND CAST(gatehouse_r."user_id" AS text) COLLATE "C" = (SELECT gatehouse.subject())))));
-- task: close
CREATE POLICY gatehouse_delete ON "app"."tasks" FOR DELETE
  USING (
    (SELECT gatehouse.is_from(ARRAY['https://issuer.example']::text[]))
    AND (((SELECT gatehouse.has('scopes', ARRAY['close']::text[])) AND (CASE WHEN "tasks"."bytes" BETWEEN -9007199254740993 AND 9007199254740993 AND ("tasks"."bytes" = 0 OR "tasks"."bytes" >= 2.48e-324 OR "tasks"."bytes" <= -2.48e-324) THEN CAST("tasks"."bytes" AS double precision) END < CAST('0.1' AS double precision)))));
)");
}

TEST_F(PolicyRlsTest, WithoutTableAllAreWrittenThatHaveCommands) {
  const Result result = Rls(kConfig, {});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, Rls(kConfig, {"--table", "task"}).out);
}

TEST_F(PolicyRlsTest, ATypeThatSaysNoCommandsIsNamedAndNothingIsWritten) {
  const Result result = Rls(kConfig, {"--table", "task", "--table", "note"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, AllOf(HasSubstr("policy.resources.note: needs `table.commands`, which "
                                          "says for select, insert, update and delete"),
                                Not(HasSubstr("memo"))));
}

TEST_F(PolicyRlsTest, AnUnknownTypeIsNamed) {
  const Result result = Rls(kConfig, {"--table", "task", "--table", "tusk"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("policy.resources.tusk: the policy has no such resource type"));
}

TEST_F(PolicyRlsTest, ATypeWithoutATableIsNamed) {
  EXPECT_THAT(Rls(kConfig, {"--table", "memo"}).err,
              HasSubstr("policy.resources.memo: needs `table`"));
}

TEST_F(PolicyRlsTest, APolicyOfWhichNothingCanBeWrittenIsSaidSo) {
  const std::string config = kConfig;
  for (const char* end : {"    note:", "    task:"}) {
    const Result result = Rls(config.substr(0, config.find(end)), {});
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.err,
                HasSubstr("no resource type of the policy has a `table` with `commands`"));
  }
}

TEST_F(PolicyRlsTest, ACommandOfAnUnknownActionIsRefusedWithItsLine) {
  std::string config = kConfig;
  config.replace(config.find("delete: close"), 13, "delete: clone");
  const Result result = Rls(config, {});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("g.yaml:26: policy.resources.task.table.commands.delete: must "
                                    "be one of the resource's actions"));
}

}  // namespace
}  // namespace gatehouse::cli
