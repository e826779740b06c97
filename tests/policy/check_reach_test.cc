#include "server/policy/check_reach.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gatehouse::policy {
namespace {

using Names = std::vector<std::string>;

// admin includes support includes user.
Definition Good() {
  return {.roles = {{.name = "admin", .includes = {"support"}},
                    {.name = "support", .includes = {"user"}}},
          .resources = {{.type = "task",
                         .issuers = {"a", "b"},
                         .tenancy = Tenancy::kRequired,
                         .actions = {{.name = "read",
                                      .allow = {{.who = {Who::Kind::kRole, "user"}},
                                                {.who = {Who::Kind::kScope, "read"}}},
                                      .deny = {{.who = {Who::Kind::kRole, "user"}}}}}}}};
}

// The paths of what is found.
std::string Found(const Definition& policy, const std::vector<IssuerReach>& issuers) {
  std::string out;
  for (const Finding& one : CheckReach(policy, issuers)) out += one.path + "\n";
  return out;
}

TEST(CheckReach, FindsNothingInAllowWhereOneIssuerMay) {
  EXPECT_EQ(Found(Good(), {{.issuer = "a"}, {.issuer = "b"}}), "");
  Definition policy = Good();
  policy.resources[0].actions[0].deny = {};
  EXPECT_EQ(
      Found(policy, {{.issuer = "a", .roles = Names{}, .scopes = Names{}, .has_tenants = false},
                     {.issuer = "b", .roles = Names{"user"}, .scopes = Names{"read"}}}),
      "");
}

TEST(CheckReach, FindsADenyThatAnIssuersTokensEscape) {
  const std::vector<Finding> found =
      CheckReach(Good(), {{.issuer = "a"}, {.issuer = "b", .roles = Names{"guest"}}});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].path, "resources.task.actions.read.deny[0]");
  EXPECT_EQ(found[0].what,
            "never matches a token of b, which may not assert this role or one that includes it");
}

TEST(CheckReach, ARoleMayBeReachedThroughOneThatIncludesIt) {
  EXPECT_EQ(Found(Good(), {{.issuer = "a", .roles = Names{"admin"}}}), "");
  Definition policy = Good();
  policy.resources[0].actions[0].allow[0].who.name = "admin";
  EXPECT_EQ(Found(policy, {{.issuer = "a", .roles = Names{"support", "user"}}}),
            "resources.task.actions.read.allow[0]\n");
}

TEST(CheckReach, FindsRolesAndScopesThatNoneMayAssertAlsoInDeny) {
  EXPECT_EQ(Found(Good(), {{.issuer = "a", .roles = Names{"users"}, .scopes = Names{"rea"}},
                           {.issuer = "b", .roles = Names{}, .scopes = Names{}},
                           {.issuer = "not of this resource"}}),
            "resources.task.actions.read.allow[0]\nresources.task.actions.read.allow[1]\n"
            "resources.task.actions.read.deny[0]\n");
}

TEST(CheckReach, FindsARequiredTenantThatNoTokenHas) {
  const std::vector<IssuerReach> issuers = {{.issuer = "a", .has_tenants = false},
                                            {.issuer = "b", .has_tenants = false},
                                            {.issuer = "c"}};
  EXPECT_EQ(Found(Good(), issuers), "resources.task.tenant\n");
  Definition policy = Good();
  policy.resources[0].tenancy = Tenancy::kOptional;
  EXPECT_EQ(Found(policy, issuers), "");
  policy = Good();
  policy.resources[0].issuers = {};
  EXPECT_EQ(Found(policy, issuers), "") << "all issuers' tokens";
}

}  // namespace
}  // namespace gatehouse::policy
