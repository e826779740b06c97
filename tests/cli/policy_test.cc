#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/cli/child.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kConfig[] = R"(issuers:
  - issuer: https://issuer.example
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_url: "https://issuer.example/jwks"}
revocations: {sqlite: {path: a.db}}
policy:
  roles: {admin: {includes: [support]}, unused: {}}
  resources:
    task:
      tenant: required
      actions:
        read: {allow: [owner, "role:support"]}
        update: {allow: [{who: owner, when: [{attribute: status, equals: open}]}]}
)";

class PolicyCommandTest : public ::testing::Test {
 protected:
  PolicyCommandTest() {
    std::filesystem::create_directories(folder_);
    Write("g.yaml", kConfig);
  }
  ~PolicyCommandTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  Result Policy(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "policy");
    arguments.insert(arguments.end(), {"--config", folder_ / "g.yaml"});
    return RunChild({.arguments = arguments});
  }
  Result Test(const std::string& tests) {
    Write("t.yaml", tests);
    return Policy({"test", folder_ / "t.yaml"});
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(PolicyCommandTest, CheckCountsAndWarns) {
  const Result result = Policy({"check"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr("g.yaml:8: policy.roles.unused: no rule names"),
                                HasSubstr("OK: 1 resource types, 2 actions, 2 roles")));
}

TEST_F(PolicyCommandTest, CheckNamesLineAndField) {
  Write("g.yaml", std::string(kConfig) + "    note: {actions: {read: {allow: [ownr]}}}\n");
  const Result result = Policy({"check"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("g.yaml:15: policy.resources.note.actions.read.allow[0]:"));
}

TEST_F(PolicyCommandTest, TestsThatHoldAreExitCode0) {
  const Result result = Test(R"(tests:
  - name: Ada reads her own
    who: {subject: ada, tenant: acme}
    resource: task/1
    owner: ada
    tenant: acme
    action: read
    expect: allow
  - who: {subject: bob, tenant: acme, roles: [admin]}
    resource: task/1
    owner: ada
    tenant: acme
    action: read
    expect: allow
  - who: {subject: ada, tenant: acme}
    resource: task/1
    owner: ada
    tenant: acme
    attributes: {status: done}
    action: update
    expect: deny
)");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("ok    Ada reads her own\n"), HasSubstr("ok    bob read task/1\n"),
                    HasSubstr("3 of 3 tests as expected\n")));
}

TEST_F(PolicyCommandTest, ATestThatFailsIsExitCode1AndSaysWhatWasLacking) {
  const Result result = Test(R"(tests:
  - who: {subject: eve, tenant: acme}
    resource: task/1
    owner: ada
    tenant: acme
    action: read
    expect: allow
)");
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("t.yaml:2: expected allow, but the policy says deny"),
                                HasSubstr("allow[0] owner: not owner"),
                                HasSubstr("allow[1] role:support: not role:support"),
                                HasSubstr("0 of 1 tests as expected\n")));
}

TEST_F(PolicyCommandTest, ABadFileOfTestsIsExitCode2WithLineAndField) {
  const Result result =
      Test("tests:\n  - who: {subject: ada}\n    resource: task\n    action: a\n");
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("t.yaml:2: tests[0].expect: must be allow or deny"),
                                HasSubstr("t.yaml:2: tests[0]: resource: must be")));
}

TEST_F(PolicyCommandTest, MatrixShowsWhoMayDoWhat) {
  const Result result = Policy({"matrix"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, AllOf(ContainsRegex("task read +own +all +all +own"),
                                ContainsRegex("task update +if +if +if +if")));
}

TEST_F(PolicyCommandTest, APolicyInAFolderIsCheckedTestedAndShown) {
  const std::string config = kConfig;
  std::filesystem::create_directories(folder_ / "policy");
  Write("g.yaml", config.substr(0, config.find("policy:")) + "policy: {path: policy}\n");
  Write("policy/roles.yaml", "roles: {admin: {includes: [support]}}\n");
  Write("policy/task.yaml",
        "resources:\n  task:\n    actions:\n      read: {allow: [owner, \"role:support\"]}\n");
  const Result checked = Policy({"check"});
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("OK: 1 resource types, 1 actions, 1 roles"));
  const Result tested = Test(
      "tests:\n"
      "  - {who: {subject: eve, roles: [admin]}, resource: task/1, owner: ada, action: read, "
      "expect: allow}\n"
      "  - {who: {subject: eve}, resource: task/1, owner: ada, action: read, expect: deny}\n");
  EXPECT_EQ(tested.code, 0) << tested.out << tested.err;
  const Result matrix = Policy({"matrix"});
  EXPECT_EQ(matrix.code, 0) << matrix.err;
  EXPECT_THAT(matrix.out, HasSubstr("support"));
  Write("policy/task.yaml",
        "resources:\n  task:\n    actions:\n      read: {allow: [owner, \"role:ghost\"]}\n");
  const Result bad = Policy({"check"});
  EXPECT_EQ(bad.code, 2);
  EXPECT_THAT(bad.err, HasSubstr("policy/task.yaml:4: resources.task.actions.read.allow[1]: the "
                                 "role \"ghost\" is not among policy.roles"));
}

TEST_F(PolicyCommandTest, TestsBelieveAnIssuerWhatItMayAssert) {
  const std::string config = kConfig;
  const std::string issuer =
      "    may_assert: {roles: [support], scopes: any, tenants: [acme]}\n    claims: {tenant: "
      "org}\n";
  const size_t at = config.find("revocations:");
  Write("g.yaml", config.substr(0, at) + issuer + config.substr(at));
  const auto test = [this](const std::string& who) {
    return Test("tests:\n  - {who: {subject: eve, " + who +
                "}, resource: task/1, tenant: acme, action: read, expect: allow}\n");
  };
  EXPECT_EQ(test("tenant: acme, roles: [support]").code, 0);
  EXPECT_EQ(test("tenant: acme, roles: [admin]").code, 1) << "it may not assert this role";
  const Result foreign = test("tenant: evil, roles: [support]");
  EXPECT_EQ(foreign.code, 2);
  EXPECT_THAT(foreign.err, HasSubstr("t.yaml:2: tests[0].who.tenant: the issuer may not speak for "
                                     "this tenant"));
}

TEST_F(PolicyCommandTest, MatrixShowsTheMostOverTheIssuersAsFarAsTheyAreBelieved) {
  const auto issuer = [](const std::string& name, const std::string& may) {
    return "  - issuer: https://" + name +
           ".example\n    audiences: [api]\n    algorithms: [EdDSA]\n"
           "    keys: {jwks_url: \"https://" +
           name + ".example/jwks\"}\n    claims: {tenant: org}\n    may_assert: " + may + "\n";
  };
  Write("g.yaml", "issuers:\n" + issuer("one", "{roles: [none], scopes: [none], tenants: [acme]}") +
                      issuer("two", "{roles: [support], scopes: [none], tenants: [any]}") +
                      R"(revocations: {sqlite: {path: a.db}}
policy:
  roles: {admin: {}, support: {}}
  resources:
    note:
      issuers: ["https://one.example"]
      tenant: required
      actions: {read: {allow: [owner, "role:support"]}}
    task:
      issuers: ["https://one.example", "https://two.example"]
      tenant: required
      actions: {read: {allow: ["role:admin", "role:support"]}}
)");
  const Result result = Policy({"matrix"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out,
              AllOf(ContainsRegex("  admin +support"), ContainsRegex("note read +own +own +own"),
                    ContainsRegex("task read +- +- +all")));
}

TEST_F(PolicyCommandTest, ADenialSaysWhyAndUnknownNamesAreWarnedOfWithTheirLine) {
  const Result result = Test(R"(tests:
  - {who: {subject: a}, resource: task/1, action: raed, expect: deny}
  - {who: {subject: a}, resource: tood/1, action: read, expect: deny}
  - who: {subject: a, tenant: acme, roles: [admn, support]}
    resource: task/1
    tenant: acme
    relations: {shared_wth: {subjects: [a]}}
    attributes: {staus: open, status: open}
    action: update
    expect: deny
)");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("ok    a raed task/1  (the resource has no tenant, and needs one)\n"),
                    HasSubstr("ok    a read tood/1  (the policy has no such resource type)\n"),
                    HasSubstr("ok    a update task/1  (no rule allows it)\n")));
  const std::string file = "warning: " + (folder_ / "t.yaml").string();
  EXPECT_EQ(result.err,
            file + ":2: action: task has no action \"raed\"; did you mean read?\n" + file +
                ":3: resource: the policy has no resource type \"tood\"\n" + file +
                ":4: who.roles: the policy has no role \"admn\"; did you mean admin?\n" + file +
                ":4: relations: no rule of task names the relation \"shared_wth\"\n" + file +
                ":4: attributes: no rule of task tests the attribute \"staus\"; did you mean "
                "status?\n");
}

TEST_F(PolicyCommandTest, MistakesAreALineEach) {
  const std::string config = kConfig;
  Write("g.yaml", config + "    note: {actions: {read: {allow: [ownr, onwer]}}}\n");
  for (const char* command : {"check", "matrix", "rls"}) {
    EXPECT_THAT(Policy({command}).err,
                AllOf(HasSubstr("allow[0]: "), HasSubstr("\n" + (folder_ / "g.yaml:15").string()),
                      Not(HasSubstr("\\n"))));
  }
  Write("g.yaml", config);
  EXPECT_THAT(Test("tests:\n  - {who: {subject: a}, action: b}\n").err,
              AllOf(HasSubstr("\n" + (folder_ / "t.yaml:2").string()), Not(HasSubstr("\\n"))));
}

TEST_F(PolicyCommandTest, APolicyGivenAsTheConfigurationIsExplained) {
  const Result argument = RunChild({.arguments = {"policy", "check", folder_ / "g.yaml"}});
  EXPECT_EQ(argument.code, 2);
  EXPECT_THAT(argument.err, AllOf(HasSubstr("the configuration is named with --config FILE"),
                                  Not(HasSubstr("token"))));
  Write("g.yaml", "roles: {admin: {}}\nresources: {}\n");
  const Result bare = Policy({"check"});
  EXPECT_EQ(bare.code, 2);
  EXPECT_THAT(bare.err, HasSubstr("is a policy and no configuration: name it there with `policy: "
                                  "{path: g.yaml}`"));
}

TEST_F(PolicyCommandTest, ATestWithoutIssuerIsToldWhichThereAre) {
  std::string config = kConfig;
  config.insert(config.find("revocations:"),
                "    may_assert: {roles: any, scopes: any, tenants: any}\n"
                "  - issuer: https://other.example\n    audiences: [api]\n"
                "    algorithms: [EdDSA]\n    keys: {jwks_url: \"https://other.example/jwks\"}\n"
                "    may_assert: {roles: any, scopes: any, tenants: any}\n");
  config.insert(config.find("      tenant: required"), "      issuers: [https://other.example]\n");
  Write("g.yaml", config);
  const auto test = [this](const std::string& more) {
    return Test("tests:\n  - {who: {subject: a" + more +
                "}, resource: task/1, action: read, expect: deny}\n");
  };
  const std::string names = ": must be one of https://issuer.example, https://other.example\n";
  EXPECT_THAT(test("").err,
              HasSubstr("tests[0].who.issuer: is required with several issuers" + names));
  EXPECT_THAT(test(", issuer: x").err,
              HasSubstr("tests[0].who.issuer: is no issuer of the configuration" + names));
}

TEST_F(PolicyCommandTest, JsonIsWrittenOrRefused) {
  const Result check = Policy({"check", "--output", "json"});
  EXPECT_EQ(check.code, 0);
  EXPECT_THAT(check.out, AllOf(StartsWith(R"({"ok":true,"warnings":[")"),
                               HasSubstr("g.yaml:8: policy.roles.unused: no rule names")));
  for (const char* command : {"matrix", "rls"}) {
    const Result refused = Policy({command, "--output", "json"});
    EXPECT_EQ(refused.code, 2);
    EXPECT_EQ(refused.out, "");
    EXPECT_THAT(refused.err, HasSubstr("writes text alone"));
  }
}

TEST_F(PolicyCommandTest, WithoutAPolicyItSaysSo) {
  std::string config = kConfig;
  Write("g.yaml", config.substr(0, config.find("policy:")));
  const Result result = Policy({"matrix"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("there is no `policy:` in it"));
}

}  // namespace
}  // namespace gatehouse::cli
