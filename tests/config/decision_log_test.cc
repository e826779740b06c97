#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/config/config.h"
#include "tests/revocation/temp_folder.h"

namespace gatehouse::config {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// A good file with this section; its first line is line 8.
absl::StatusOr<Config> With(absl::string_view section) {
  return ParseConfig(absl::StrCat(R"(issuers:
  - issuer: https://issuer.example
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_url: "https://issuer.example/jwks"}
revocations:
  sqlite: {path: a.db}
)",
                                  section),
                     "folder/g.yaml");
}

TEST(DecisionLogConfigTest, HasDefaults) {
  const auto config = With("decision_log: {path: d.jsonl}\n");
  ASSERT_TRUE(config.ok()) << config.status();
  const DecisionLog& log = config->decision_log.value();
  EXPECT_EQ(log.path, "folder/d.jsonl");
  EXPECT_EQ(log.place, "folder/g.yaml:8: decision_log.path");
  EXPECT_EQ(log.max_bytes, int64_t{64} * 1024 * 1024);
  EXPECT_EQ(log.keep_files, 4);
  EXPECT_EQ(log.allowed_percent, 1);
  EXPECT_EQ(log.denials_per_second, 100);
  EXPECT_FALSE(log.without_facts);
}

TEST(DecisionLogConfigTest, ZeroIsNotTheDefault) {
  const auto config = With(
      "decision_log: {path: /d, max_mib: 10240, keep_files: 0, allowed_percent: 0, "
      "denials_per_second: 0, without_facts: true}\n");
  ASSERT_TRUE(config.ok()) << config.status();
  const DecisionLog& log = config->decision_log.value();
  EXPECT_EQ(log.path, "/d");
  EXPECT_EQ(log.max_bytes, int64_t{10} * 1024 * 1024 * 1024);
  EXPECT_EQ(log.keep_files, 0);
  EXPECT_EQ(log.allowed_percent, 0);
  EXPECT_EQ(log.denials_per_second, 0);
  EXPECT_TRUE(log.without_facts);
}

// The log at `path` in the folder of a configuration that names a file of each kind.
std::string RefusedOf(const revocation::TempFolder& folder, const std::string& path) {
  const auto config = ParseConfig(absl::StrCat(R"(issuers:
  - issuer: https://one.example
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_url: "https://one.example/jwks", ca_file: ca.pem}
    may_assert: {roles: any, scopes: any, tenants: any}
  - issuer: https://two.example
    audiences: [api]
    algorithms: [HS256]
    keys: {secret_file: now.secret, previous_secret_file: old.secret}
    may_assert: {roles: any, scopes: any, tenants: any}
  - issuer: https://three.example
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_file: jwks.json}
    development: {private_key_file: dev.pem}
    may_assert: {roles: any, scopes: any, tenants: any}
callers: [{name: api, token_file: api.token, may: [verify]}]
policy: {path: policies}
shadow: {policy: {path: try.yaml}}
revocations: {sqlite: {path: a.db}}
decision_log: {keep_files: 3, path: )",
                                               path, "}\n"),
                                  folder.File("g.yaml"));
  return config.ok() ? "" : std::string(config.status().message());
}

class LogAmongFiles : public ::testing::Test {
 protected:
  LogAmongFiles() {
    const std::string policy =
        "resources: {task: {issuers: [https://one.example], actions: {read: {allow: [owner]}}}}\n";
    std::filesystem::create_directory(folder_.File("policies"));
    revocation::TempFolder::WriteFile(folder_.File("policies/p.yaml"), policy);
    revocation::TempFolder::WriteFile(folder_.File("try.yaml"), policy);
  }
  const revocation::TempFolder folder_;
};

TEST_F(LogAmongFiles, MayHaveAFileOfItsOwn) {
  revocation::TempFolder::WriteFile(folder_.File("d"), "{}\n");
  revocation::TempFolder::WriteFile(folder_.File("d.1"), "{}\n");
  for (const char* path : {"d", "a.db.log", "policies/d.jsonl"}) {
    EXPECT_EQ(RefusedOf(folder_, path), "") << path;
  }
}

TEST_F(LogAmongFiles, MayBeNoFileThatIsKeptForElse) {
  for (const bool there : {false, true}) {
    for (const char* path :
         {"a.db", "a.db-wal", "a.db-shm", "a.db-journal", "./a.db", "policies/../a.db", "g.yaml",
          "policies", "policies/p.yaml", "policies/new.yml", "try.yaml", "api.token", "ca.pem",
          "dev.pem", "now.secret", "old.secret", "jwks.json"}) {
      EXPECT_THAT(RefusedOf(folder_, path), AllOf(HasSubstr("g.yaml:22: decision_log.path: "),
                                                  HasSubstr("decisions need a file of their own")))
          << path << there;
    }
    if (there) break;
    for (const char* name : {"a.db", "a.db-wal", "api.token", "ca.pem", "jwks.json"}) {
      revocation::TempFolder::WriteFile(folder_.File(name), "{}");
    }
  }
}

TEST_F(LogAmongFiles, MayBeNoLinkToOne) {
  std::filesystem::create_symlink("a.db", folder_.File("soft"));
  EXPECT_THAT(RefusedOf(folder_, "soft"), HasSubstr("soft is the database;"));
  revocation::TempFolder::WriteFile(folder_.File("a.db"), "{");
  std::filesystem::create_hard_link(folder_.File("a.db"), folder_.File("hard"));
  EXPECT_THAT(RefusedOf(folder_, "soft"), HasSubstr("soft is the database;"));
  EXPECT_THAT(RefusedOf(folder_, "hard"), HasSubstr("hard is the database;"));
}

TEST_F(LogAmongFiles, IsNotRenamedOverOneNorOntoItself) {
  std::filesystem::create_symlink("a.db", folder_.File("d.3"));
  EXPECT_THAT(RefusedOf(folder_, "d"), HasSubstr("d.3 is the database;"));
  std::filesystem::rename(folder_.File("d.3"), folder_.File("d.4"));
  EXPECT_EQ(RefusedOf(folder_, "d"), "");
  revocation::TempFolder::WriteFile(folder_.File("d"), "{}\n");
  std::filesystem::create_hard_link(folder_.File("d"), folder_.File("d.1"));
  EXPECT_THAT(RefusedOf(folder_, "d"), HasSubstr("d.1 is the same file as "));
}

TEST(ShadowConfigTest, IsReadAsThePolicyIsAndItsClaimsAreKept) {
  const auto config = With(R"(policy: {resources: {task: {actions: {read: {allow: [owner]}}}}}
shadow:
  percent: 7
  policy:
    roles: {unused: {}}
    resources:
      task: {actions: {read: {allow: [{who: owner, when: [{claim: team, present: true}]}]}}}
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->shadow->percent, 7);
  EXPECT_THAT(config->shadow->policy.resources, SizeIs(1));
  ASSERT_THAT(config->issuers[0].rules.more_claims, SizeIs(1));
  EXPECT_EQ(config->issuers[0].rules.more_claims[0], "team");
  ASSERT_THAT(config->warnings, SizeIs(1));
  EXPECT_THAT(config->warnings[0], HasSubstr("g.yaml:12: shadow.policy.roles.unused: no rule"));
}

TEST(ShadowConfigTest, AClaimThatBothTestIsKeptOnce) {
  const std::string policy =
      "{resources: {task: {actions: {read: {allow: "
      "[{who: owner, when: [{claim: team, present: true}]}]}}}}}\n";
  const auto config = With("policy: " + policy + "shadow: {policy: " + policy + "}\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->shadow->percent, 100);
  EXPECT_THAT(config->issuers[0].rules.more_claims, SizeIs(1));
}

struct Case {
  const char* name;
  const char* section;
  const char* message;
};
class BadSection : public ::testing::TestWithParam<Case> {};

TEST_P(BadSection, IsRefusedWithLineAndField) {
  const auto config = With(GetParam().section);
  ASSERT_FALSE(config.ok());
  EXPECT_THAT(std::string(config.status().message()), HasSubstr(GetParam().message));
}

constexpr char kPolicy[] =
    "shadow:\n  policy: {resources: {task: {actions: {read: {allow: [owner]}}}}}\n";

INSTANTIATE_TEST_SUITE_P(
    Sections, BadSection,
    ::testing::Values(
        Case{"NoPath", "decision_log: {max_mib: 1}", "g.yaml:8: decision_log.path: is required"},
        Case{"NoBytes", "decision_log:\n  path: d\n  max_mib: 0",
             "g.yaml:10: decision_log.max_mib: must be from 1 to 10240, but is 0"},
        Case{"TooManyBytes", "decision_log: {path: d, max_mib: 10241}", "but is 10241"},
        Case{"TooManyFiles", "decision_log: {path: d, keep_files: 101}",
             "decision_log.keep_files: must be from 0 to 100, but is 101"},
        Case{"Percent", "decision_log: {path: d, allowed_percent: 101}",
             "decision_log.allowed_percent: must be from 0 to 100, but is 101"},
        Case{"Denials", "decision_log: {path: d, denials_per_second: 100001}",
             "decision_log.denials_per_second: must be from 0 to 100000, but is 100001"},
        Case{"Negative", "decision_log: {path: d, keep_files: -1}", "decision_log.keep_files"},
        Case{"ShadowWithoutPolicy", "shadow: {percent: 5}", "g.yaml:8: shadow.policy: is required"},
        Case{"ShadowsMistake",
             "shadow:\n  policy: {resources: {task: {actions: {read: {allow: [ownr]}}}}}",
             "g.yaml:9: shadow.policy.resources.task.actions.read.allow[0]: must be owner"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ShadowConfigTest, PercentIsFrom1To100) {
  for (const char* percent : {"0", "101"}) {
    const auto config = With(absl::StrCat(kPolicy, "  percent: ", percent, "\n"));
    ASSERT_FALSE(config.ok());
    EXPECT_THAT(std::string(config.status().message()),
                HasSubstr(absl::StrCat("g.yaml:10: shadow.percent: must be from 1 to 100, but is ",
                                       percent)));
  }
  for (const char* percent : {"1", "100"}) {
    EXPECT_TRUE(With(absl::StrCat(kPolicy, "  percent: ", percent, "\n")).ok());
  }
}

}  // namespace
}  // namespace gatehouse::config
