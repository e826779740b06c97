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

TEST_F(PolicyCommandTest, WithoutAPolicyItSaysSo) {
  std::string config = kConfig;
  Write("g.yaml", config.substr(0, config.find("policy:")));
  const Result result = Policy({"matrix"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("there is no `policy:` in it"));
}

}  // namespace
}  // namespace gatehouse::cli
