#include "server/policy/deciding_rule.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::policy {
namespace {

constexpr char kIssuer[] = "https://issuer.example";

std::string Decide(const Policy& policy, const Question& question, absl::string_view role = "") {
  Principal who;
  who.issuer = kIssuer;
  who.subject = "ada";
  who.tenant = "acme";
  if (!role.empty()) who.roles = {role};
  return DecidingRule(policy, who, question, policy.Decide(who, question));
}

Policy Tasks() {
  Condition locked;
  locked.kind = Condition::Kind::kEquals;
  locked.name = "locked";
  locked.values = {"yes"};
  Action read{.name = "read",
              .allow = {{{Who::Kind::kOwner}}, {{Who::Kind::kRole, "support"}}},
              .deny = {{.who = {}, .when = {locked}}}};
  return Policy::Compile(
             {.roles = {{.name = "support"}}, .resources = {{.type = "task", .actions = {read}}}},
             {kIssuer})
      .value();
}

TEST(DecidingRuleTest, IsTheFirstThatAllows) {
  const std::pair<absl::string_view, absl::string_view> unlocked[] = {{"locked", "no"}};
  Question question{.resource = "task/1", .owner = "ada", .action = "read"};
  question.attributes = unlocked;
  EXPECT_EQ(Decide(Tasks(), question), "allow[0] owner");
  question.owner = "bob";
  EXPECT_EQ(Decide(Tasks(), question, "support"), "allow[1] role:support");
  EXPECT_EQ(Decide(Tasks(), question), "no rule allows it");
}

TEST(DecidingRuleTest, IsTheRuleThatDeniesUnlessSomethingElseCameFirst) {
  Question question{.resource = "task/1", .owner = "ada", .action = "read"};
  EXPECT_EQ(Decide(Tasks(), question), "deny[0] authenticated") << "unknown denies";
  question.tenant = "evil";
  EXPECT_EQ(Decide(Tasks(), question), "the resource's tenant is not the token's");
  question.action = "write";
  question.tenant = "";
  EXPECT_EQ(Decide(Tasks(), question), "the policy has no such action for this resource type");
}

TEST(DecidingRuleTest, WithoutRulesItIsTheOwner) {
  const Policy policy = Policy::Default(1);
  EXPECT_EQ(Decide(policy, {.resource = "task/1", .owner = "ada", .action = "read"}),
            "the subject is the owner");
  EXPECT_EQ(Decide(policy, {.resource = "task/1", .owner = "bob", .action = "read"}),
            "the subject is not the owner");
}

}  // namespace
}  // namespace gatehouse::policy
