#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/cli/child.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kConfig[] = R"(issuers:
  - issuer: https://issuer.example
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_url: "https://issuer.example/jwks"}
revocations: {sqlite: {path: a.db}}
policy:
  roles: {admin: {includes: [support]}}
  resources:
    task:
      tenant: required
      actions:
        read: {allow: [owner, "role:support", "relation:editor", "scope:task:read"]}
        update:
          allow: [{who: owner, when: [{attribute: team, equals_claim: /profile/team}]}]
          deny: [{when: [{attribute: locked, equals: "yes"}]}]
)";

class PolicyExplainTest : public ::testing::Test {
 protected:
  PolicyExplainTest() {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "g.yaml") << kConfig;
  }
  ~PolicyExplainTest() override { std::filesystem::remove_all(folder_); }

  Result Explain(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"policy", "explain", "--config", folder_ / "g.yaml",
                                         "--subject", "ada", "--token-tenant", "acme",
                                         "--resource-tenant", "acme", "--resource", "task/1"});
    return RunChild({.arguments = arguments});
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(PolicyExplainTest, ShowsEveryRuleAndWhatItLacked) {
  const Result result = Explain({"--action", "read", "--role", "admin", "--owner", "bob"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out,
            "allow: allow[1] role:support\n"
            "  false    allow[0] owner: not owner\n"
            "  true     allow[1] role:support\n"
            "  unknown  allow[2] relation:editor: relation:editor is unknown: the request does not "
            "say it\n"
            "  false    allow[3] scope:task:read: not scope:task:read\n");
}

TEST_F(PolicyExplainTest, ADenialIsExitCode1AndNamesItsRule) {
  const Result result =
      Explain({"--action", "update", "--owner", "ada", "--claim", "/profile/team=blue",
               "--attribute", "team=blue", "--attribute", "locked=yes"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("deny: deny[0] authenticated\n"),
                                HasSubstr("  true     allow[0] owner\n")));
}

TEST_F(PolicyExplainTest, RelationsOfOneNameAreOneList) {
  const std::vector<std::string> question = {"--action",   "read",       "--relation",
                                             "editor=bob", "--relation", "editor=ada",
                                             "--relation", "viewer=eve"};
  EXPECT_THAT(Explain(question).out, HasSubstr("allow: allow[2] relation:editor\n"));
}

TEST_F(PolicyExplainTest, JsonIsOneObject) {
  const Result result = Explain({"--action", "update", "--owner", "ada", "--attribute", "locked=no",
                                 "--attribute", "team=blue", "--output", "json"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, HasSubstr(R"({"verdict":"deny","rule":"no rule allows it","rules":[)"
                                    R"({"rule":"deny[0] authenticated","truth":"false",)"));
  EXPECT_THAT(result.out, HasSubstr(R"({"rule":"allow[0] owner","truth":"unknown","lacking":")"));
}

TEST_F(PolicyExplainTest, AnAttributeIsGivenOnceAndATenantIsSomebodys) {
  const Result twice =
      Explain({"--action", "update", "--attribute", "locked=yes", "--attribute", "locked=no"});
  EXPECT_EQ(twice.code, 2);
  EXPECT_THAT(twice.err, HasSubstr("--attribute locked is given twice"));
  const Result tenant = Explain({"--action", "read", "--tenant", "acme"});
  EXPECT_EQ(tenant.code, 2);
  EXPECT_THAT(tenant.err, HasSubstr("say --token-tenant or --resource-tenant"));
}

TEST_F(PolicyExplainTest, UsageThatIsWrongIsExitCode2) {
  const auto said = [&](std::vector<std::string> arguments) {
    const Result result = Explain(std::move(arguments));
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(result.out, "");
    return result.err;
  };
  EXPECT_THAT(said({"--action", "read", "--relation", "editor"}), HasSubstr("NAME=SUBJECT"));
  EXPECT_THAT(said({"--action", "read", "--claim", "=x"}), HasSubstr("--claim must be NAME=VALUE"));
  EXPECT_THAT(said({"--issuer", "https://other.example"}),
              HasSubstr("--issuer must be one of the configuration's: https://issuer.example"));
  EXPECT_THAT(said({"--owner", "a\nb"}), HasSubstr("owner"));
  // Whose tenant is meant must be said.
  EXPECT_THAT(said({"--tenant", "acme"}), HasSubstr("unknown option --tenant"));
}

}  // namespace
}  // namespace gatehouse::cli
