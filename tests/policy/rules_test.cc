#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server/policy/policy.h"

namespace gatehouse::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

constexpr char kIssuer[] = "https://issuer.example";

Rule Owner() { return {.who = {Who::Kind::kOwner}}; }
Rule HasRole(std::string name) { return {.who = {Who::Kind::kRole, std::move(name)}}; }
Rule HasScope(std::string name) { return {.who = {Who::Kind::kScope, std::move(name)}}; }
Rule Related(std::string name) { return {.who = {Who::Kind::kRelation, std::move(name)}}; }

Condition StatusIs(std::string value) {
  return {.kind = Condition::Kind::kEquals, .name = "status", .values = {std::move(value)}};
}

// One resource type, "task", with one action, "read".
class RulesTest : public ::testing::Test {
 protected:
  RulesTest() {
    ada_.issuer = kIssuer;
    ada_.subject = "ada";
    ada_.tenant = "acme";
    resource_ = {.type = "task", .tenancy = Tenancy::kNone, .actions = {{.name = "read"}}};
  }

  Code Decide(const Question& question) {
    const auto policy = Compiled();
    EXPECT_TRUE(policy.ok()) << policy.status();
    const Code code = policy->Decide(ada_, question);
    // What is said about a decision never disagrees with it.
    bool allowed = false;
    bool denied = false;
    for (const RuleVerdict& one : policy->Explain(ada_, question)) {
      const bool is_deny = one.rule.rfind("deny", 0) == 0;
      allowed = allowed || (!is_deny && one.truth == Truth::kTrue);
      denied = denied || (is_deny && one.truth != Truth::kFalse);
      EXPECT_EQ(one.lacking.empty(), one.truth == Truth::kTrue) << one.rule;
    }
    if (code == Code::kOk) {
      EXPECT_TRUE(allowed && !denied);
    }
    return code;
  }
  bool May(const Question& question) { return Decide(question) == Code::kOk; }

  absl::StatusOr<Policy> Compiled() {
    return Policy::Compile({.roles = roles_, .resources = {resource_}}, {kIssuer});
  }
  Action& Read() { return resource_.actions.front(); }

  static Question Task(absl::string_view owner = "", absl::string_view tenant = "") {
    return {.resource = "task/1", .owner = owner, .action = "read", .tenant = tenant};
  }

  Principal ada_;
  std::vector<Role> roles_;
  Resource resource_;
};

TEST_F(RulesTest, WhatNoRuleAllowsIsDenied) {
  roles_ = {{.name = "admin"}};
  Read().allow = {HasRole("admin")};
  EXPECT_FALSE(May(Task("ada")));
}

TEST_F(RulesTest, AnUnknownTypeOrActionIsDenied) {
  Read().allow = {Owner()};
  EXPECT_TRUE(May(Task("ada")));
  for (const char* resource : {"note/1", "tasks/1", "Task/1", "tas/1"}) {
    EXPECT_FALSE(May({.resource = resource, .owner = "ada", .action = "read"})) << resource;
  }
  for (const char* action : {"", "Read", "write", "read "}) {
    EXPECT_FALSE(May({.resource = "task/1", .owner = "ada", .action = action})) << action;
  }
}

TEST_F(RulesTest, AnIdMayHoldSlashes) {
  Read().allow = {Owner()};
  EXPECT_TRUE(May({.resource = "task/a/b/../c", .owner = "ada", .action = "read"}));
}

TEST_F(RulesTest, ARoleIsTheWholeName) {
  roles_ = {{.name = "admin"}};
  Read().allow = {HasRole("admin")};
  for (const char* role : {"administrator", "adm", "Admin", "admin ", "xadmin", "admin,user"}) {
    ada_.roles = {role};
    EXPECT_FALSE(May(Task())) << role;
  }
  ada_.roles = {"user", "admin"};
  EXPECT_TRUE(May(Task()));
}

TEST_F(RulesTest, ARoleHasWhatItIncludesAndNotTheOtherWayRound) {
  roles_ = {{.name = "root", .includes = {"admin"}}, {.name = "admin", .includes = {"support"}}};
  Read().allow = {HasRole("support")};
  for (const char* role : {"root", "admin", "support"}) {
    ada_.roles = {role};
    EXPECT_TRUE(May(Task())) << role;
  }
  Read().allow = {HasRole("root")};
  ada_.roles = {"support", "admin"};
  EXPECT_FALSE(May(Task()));
}

TEST_F(RulesTest, AScopeIsTheWholeName) {
  Read().allow = {HasScope("task:read")};
  ada_.scopes = {"task:readonly", "task"};
  EXPECT_FALSE(May(Task()));
  ada_.scopes = {"profile", "task:read"};
  EXPECT_TRUE(May(Task()));
}

TEST_F(RulesTest, ARelationIsAmongTheSubjectsThatTheBackendGives) {
  Read().allow = {Related("editor")};
  const std::vector<absl::string_view> editors = {"bob", "ada"};
  const std::vector<absl::string_view> others = {"bob", "adam", ""};
  const std::vector<Relation> with = {{"viewer", others}, {"editor", editors}};
  const std::vector<Relation> without = {{"editor", others}, {"viewer", editors}};
  Question question = Task();
  EXPECT_FALSE(May(question)) << "not said";
  question.relations = with;
  EXPECT_TRUE(May(question));
  question.relations = without;
  EXPECT_FALSE(May(question));
}

TEST_F(RulesTest, DenyWinsOverEveryAllow) {
  roles_ = {{.name = "banned"}};
  Read().allow = {Owner(), {.who = {Who::Kind::kAuthenticated}, .when = {StatusIs("open")}}};
  Read().deny = {HasRole("banned")};
  EXPECT_TRUE(May(Task("ada")));
  ada_.roles = {"banned"};
  EXPECT_FALSE(May(Task("ada")));
}

TEST_F(RulesTest, DenyFiresWhereItIsUnknown) {
  Read().allow = {Owner()};
  Read().deny = {Related("blocked")};
  const std::vector<Relation> nobody = {{"blocked", {}}};
  Question question = Task("ada");
  EXPECT_FALSE(May(question)) << "the backend did not say who is blocked";
  question.relations = nobody;
  EXPECT_TRUE(May(question));
}

TEST_F(RulesTest, AllowNeedsAConditionToBeTrueAndDenyToBeFalse) {
  using Attributes = std::vector<std::pair<absl::string_view, absl::string_view>>;
  const Attributes open = {{"status", "open"}};
  const Attributes empty = {{"status", ""}};
  const Attributes locked = {{"status", "locked"}};
  const auto may = [&](const Attributes& attributes) {
    Question question = Task("ada");
    question.attributes = attributes;
    return May(question);
  };
  Rule rule = Owner();
  rule.when = {StatusIs("open")};
  Read().allow = {rule};
  EXPECT_TRUE(may(open));
  EXPECT_FALSE(may(locked));
  EXPECT_FALSE(may(empty));
  EXPECT_FALSE(may({}));

  Read().allow = {Owner()};
  Read().deny = {{.who = {}, .when = {StatusIs("locked")}}};
  EXPECT_TRUE(may(open));
  EXPECT_FALSE(may(locked));
  EXPECT_FALSE(may(empty)) << "unknown";
  EXPECT_FALSE(may({})) << "unknown";
}

TEST_F(RulesTest, TenantRequiredMeansBothSetAndEqual) {
  resource_.tenancy = Tenancy::kRequired;
  Read().allow = {Owner()};
  EXPECT_TRUE(May(Task("ada", "acme")));
  EXPECT_FALSE(May(Task("ada", "evil")));
  EXPECT_FALSE(May(Task("ada", "ACME")));
  EXPECT_FALSE(May(Task("ada")));
  ada_.tenant = "";
  EXPECT_FALSE(May(Task("ada", "acme")));
  EXPECT_FALSE(May(Task("ada")));
}

TEST_F(RulesTest, TenantOptionalMeansThatATenantMustBeTheSame) {
  resource_.tenancy = Tenancy::kOptional;
  Read().allow = {Owner()};
  EXPECT_TRUE(May(Task("ada", "acme")));
  EXPECT_FALSE(May(Task("ada", "evil")));
  EXPECT_TRUE(May(Task("ada")));
  ada_.tenant = "";
  EXPECT_TRUE(May(Task("ada")));
  EXPECT_FALSE(May(Task("ada", "acme")));
}

TEST_F(RulesTest, TenantNoneMeansThatItIsNotLookedAt) {
  Read().allow = {Owner()};
  EXPECT_TRUE(May(Task("ada", "evil")));
}

TEST_F(RulesTest, TheTenantBindsRolesToo) {
  roles_ = {{.name = "admin"}};
  resource_.tenancy = Tenancy::kRequired;
  Read().allow = {HasRole("admin")};
  ada_.roles = {"admin"};
  EXPECT_TRUE(May(Task("bob", "acme")));
  EXPECT_FALSE(May(Task("bob", "evil")));
}

TEST_F(RulesTest, AnotherIssuersEqualSubjectRoleAndTenantAreStrangers) {
  roles_ = {{.name = "admin"}};
  resource_.issuers = {kIssuer};
  Read().allow = {Owner(), HasRole("admin")};
  ada_.roles = {"admin"};
  const auto policy = Policy::Compile({.roles = roles_, .resources = {resource_}},
                                      {kIssuer, "https://evil.example"});
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->Decide(ada_, Task("ada", "acme")), Code::kOk);
  ada_.issuer = "https://evil.example";
  EXPECT_EQ(policy->Decide(ada_, Task("ada", "acme")), Code::kInsufficientPermissions);
}

TEST_F(RulesTest, ExplainSaysWhatEachRuleLacked) {
  roles_ = {{.name = "support"}};
  Rule rule = HasRole("support");
  rule.when = {StatusIs("open")};
  Read().allow = {Owner(), rule};
  ada_.roles = {"support"};
  const auto policy = Compiled();
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_THAT(policy->Explain(ada_, Task("bob")),
              ElementsAre(Field(&RuleVerdict::lacking, "not owner"),
                          Field(&RuleVerdict::lacking, "it is unknown whether status is open")));
}

TEST_F(RulesTest, ABadPolicyDoesNotCompile) {
  Read().allow = {HasRole("admin")};
  const auto policy = Compiled();
  ASSERT_FALSE(policy.ok());
  EXPECT_THAT(std::string(policy.status().message()),
              HasSubstr("resources.task.actions.read.allow[0]"));
}

}  // namespace
}  // namespace gatehouse::policy
