#include "server/policy/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "server/policy/policy.h"

namespace gatehouse::policy {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kIssuer[] = "https://issuer.example";

Definition Good() {
  return {.roles = {{.name = "admin", .includes = {"support"}}},
          .resources = {{.type = "task",
                         .tenancy = Tenancy::kRequired,
                         .actions = {{.name = "read",
                                      .allow = {{.who = {Who::Kind::kOwner}},
                                                {.who = {Who::Kind::kRole, "support"}}}}}}}};
}

Condition Present() { return {.kind = Condition::Kind::kPresent, .name = "status"}; }
Condition Not(Condition one) { return {.kind = Condition::Kind::kNot, .inner = {std::move(one)}}; }
Condition Either(Condition one, Condition other) {
  return {.kind = Condition::Kind::kAny, .inner = {std::move(one), std::move(other)}};
}
Condition Equals(const char* value) {
  return {.kind = Condition::Kind::kEquals, .name = "status", .values = {value}};
}

struct Case {
  const char* name;
  std::function<void(Definition&)> spoil;
  const char* path;
  const char* what;
};

class BadPolicy : public ::testing::TestWithParam<Case> {};

TEST(GoodPolicy, HasNothingToFind) {
  const Findings findings = Check(Good(), {kIssuer});
  EXPECT_THAT(findings.mistakes, IsEmpty());
  EXPECT_THAT(findings.warnings, IsEmpty());
}

TEST_P(BadPolicy, IsRefusedWithItsPlace) {
  Definition policy = Good();
  GetParam().spoil(policy);
  const Findings findings = Check(policy, {kIssuer});
  ASSERT_FALSE(findings.mistakes.empty());
  EXPECT_EQ(findings.mistakes.front().path, GetParam().path);
  EXPECT_THAT(findings.mistakes.front().what, HasSubstr(GetParam().what));
}

Action& Read(Definition& policy) { return policy.resources.front().actions.front(); }

INSTANTIATE_TEST_SUITE_P(
    Rules, BadPolicy,
    ::testing::Values(
        Case{"NoResource", [](Definition& p) { p.resources.clear(); }, "resources", "at least one"},
        Case{"RoleThatIncludesItself", [](Definition& p) { p.roles[0].includes = {"admin"}; },
             "roles.admin", "includes itself"},
        Case{"RolesInACircle",
             [](Definition& p) { p.roles.push_back({.name = "support", .includes = {"admin"}}); },
             "roles.admin", "includes itself"},
        Case{"UnknownRole", [](Definition& p) { Read(p).allow[1].who.name = "suport"; },
             "resources.task.actions.read.allow[1]", "not among policy.roles"},
        Case{"RoleStar", [](Definition& p) { p.roles.push_back({.name = "*"}); }, "roles.*",
             "there is no *; write each"},
        Case{"IncludesStar", [](Definition& p) { p.roles[0].includes = {"*"}; },
             "roles.admin.includes[0]", "there is no *; write each"},
        Case{"RuleForStar", [](Definition& p) { Read(p).allow[1].who.name = "*"; },
             "resources.task.actions.read.allow[1]", "there is no *; write each"},
        Case{"TypeStar", [](Definition& p) { p.resources[0].type = "*"; }, "resources.*",
             "there is no *; write each"},
        Case{"ActionStar", [](Definition& p) { Read(p).name = "*"; }, "resources.task.actions.*",
             "there is no *; write each"},
        Case{"NoAction", [](Definition& p) { p.resources[0].actions.clear(); },
             "resources.task.actions", "at least one action"},
        Case{"NoRule", [](Definition& p) { Read(p).allow.clear(); },
             "resources.task.actions.read.allow", "at least one rule"},
        Case{"TypeWithASlash", [](Definition& p) { p.resources[0].type = "a/b"; }, "resources.a/b",
             "no slash"},
        Case{"EverybodyWithoutPublic",
             [](Definition& p) {
               p.resources[0].tenancy = Tenancy::kOptional;
               Read(p).allow = {{.who = {Who::Kind::kAuthenticated}}};
             },
             "resources.task.actions.read.allow[0]", "public: true"},
        Case{"EverybodyByAConditionThatAlwaysHolds",
             [](Definition& p) {
               p.resources[0].tenancy = Tenancy::kNone;
               Read(p).allow = {{.who = {Who::Kind::kOwner}},
                                {.who = {Who::Kind::kAuthenticated},
                                 .when = {Either(Present(), Not(Present()))}}};
             },
             "resources.task.actions.read.allow[1]", "conditions that always hold"},
        Case{"EverybodyByRulesThatCompleteEachOther",
             [](Definition& p) {
               p.resources[0].tenancy = Tenancy::kNone;
               Read(p).allow = {{.who = {Who::Kind::kAuthenticated}, .when = {Present()}},
                                {.who = {Who::Kind::kAuthenticated}, .when = {Not(Present())}}};
             },
             "resources.task.actions.read.allow", "together allow everybody"},
        Case{"EverybodyByAClaimThatEachTokenHas",
             [](Definition& p) {
               p.resources[0].tenancy = Tenancy::kNone;
               Read(p).allow = {{.who = {Who::Kind::kAuthenticated},
                                 .when = {{.kind = Condition::Kind::kPresent,
                                           .of = Condition::Of::kClaim,
                                           .name = "sub"}}}};
             },
             "resources.task.actions.read.allow[0]", "conditions that always hold"},
        Case{"RolesInACircleOfThree",
             [](Definition& p) {
               p.roles.push_back({.name = "support", .includes = {"user"}});
               p.roles.push_back({.name = "user", .includes = {"admin"}});
             },
             "roles.admin", "includes itself"},
        Case{"RoleTwice", [](Definition& p) { p.roles.push_back({.name = "admin"}); },
             "roles.admin", "is there twice"},
        Case{"RoleIncludedTwice",
             [](Definition& p) { p.roles[0].includes = {"support", "support"}; },
             "roles.admin.includes[1]", "is there twice"},
        Case{"ResourceTwice", [](Definition& p) { p.resources.push_back(p.resources[0]); },
             "resources.task", "is there twice"},
        Case{"ActionTwice",
             [](Definition& p) { p.resources[0].actions.push_back(p.resources[0].actions[0]); },
             "resources.task.actions.read", "is there twice"},
        Case{"IssuerTwice", [](Definition& p) { p.resources[0].issuers = {kIssuer, kIssuer}; },
             "resources.task.issuers[1]", "is there twice"},
        Case{"DenyEverybody",
             [](Definition& p) { Read(p).deny = {{.who = {Who::Kind::kAuthenticated}}}; },
             "resources.task.actions.read.deny[0]", "no rule of allow can match"},
        Case{"UnknownIssuer", [](Definition& p) { p.resources[0].issuers = {"https://x"}; },
             "resources.task.issuers[0]", "none of the issuers"},
        Case{"ComparesWithNothing",
             [](Definition& p) {
               Read(p).allow[0].when = {{.kind = Condition::Kind::kIn, .name = "status"}};
             },
             "resources.task.actions.read.allow[0].when[0]", "compares with nothing"},
        Case{"ComparesWithEmpty",
             [](Definition& p) {
               Read(p).allow[0].when = {
                   {.kind = Condition::Kind::kEquals, .name = "status", .values = {""}}};
             },
             "resources.task.actions.read.allow[0].when[0]", "empty text"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(PolicyCheckTest, SeveralIssuersNeedToBeNamed) {
  Definition policy = Good();
  EXPECT_EQ(Check(policy, {kIssuer, "https://other.example"}).mistakes.at(0).path,
            "resources.task.issuers");
  policy.resources[0].issuers = {kIssuer};
  EXPECT_THAT(Check(policy, {kIssuer, "https://other.example"}).mistakes, IsEmpty());
}

TEST(PolicyCheckTest, EverybodyMayIfThatIsSaid) {
  Definition policy = Good();
  policy.resources[0].tenancy = Tenancy::kNone;
  Read(policy).allow = {{.who = {Who::Kind::kAuthenticated}}};
  Read(policy).is_public = true;
  EXPECT_THAT(Check(policy, {kIssuer}).mistakes, IsEmpty());
}

// Each includes the 59 after it.
Definition ManyRoles() {
  Definition policy = Good();
  policy.roles.clear();
  for (int i = 0; i < 1023; ++i) {
    Role role{.name = "r" + std::to_string(i)};
    for (int j = i + 1; j <= i + 59 && j < 1023; ++j) {
      role.includes.push_back("r" + std::to_string(j));
    }
    policy.roles.push_back(std::move(role));
  }
  Read(policy).allow[1].who.name = "r1022";
  return policy;
}

TEST(PolicyCheckTest, ManyRolesWithManyIncludesAreFollowedToTheLast) {
  Definition policy = ManyRoles();
  const Findings findings = Check(policy, {kIssuer});
  EXPECT_THAT(findings.mistakes, IsEmpty());
  EXPECT_THAT(findings.warnings, IsEmpty()) << "each includes the one that a rule names";
  const auto compiled = Policy::Compile(policy, {kIssuer});
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  Principal who;
  who.issuer = kIssuer;
  who.tenant = "acme";
  who.roles = {"r0"};
  EXPECT_EQ(compiled->Decide(who, {.resource = "task/1", .action = "read", .tenant = "acme"}),
            Code::kOk);
  policy.roles.back().includes = {"r0"};
  EXPECT_EQ(Check(policy, {kIssuer}).mistakes.size(), 1023U);
}

TEST(PolicyCheckTest, ExactlyTheRolesOfACircleAreNamed) {
  Definition policy = Good();
  policy.roles = {{.name = "to", .includes = {"a", "c"}},   {.name = "a", .includes = {"b", "c"}},
                  {.name = "b", .includes = {"a", "out"}},  {.name = "c", .includes = {"b"}},
                  {.name = "out", .includes = {"support"}}, {.name = "self", .includes = {"self"}}};
  const Findings findings = Check(policy, {kIssuer});
  std::vector<std::string> paths;
  paths.reserve(findings.mistakes.size());
  for (const Finding& one : findings.mistakes) paths.push_back(one.path);
  EXPECT_THAT(paths, ::testing::ElementsAre("roles.a", "roles.b", "roles.c", "roles.self"));
}

TEST(PolicyCheckTest, OwnerAndTenantStandInNoColumnOfNumbers) {
  Definition policy = Good();
  policy.resources[0].table = Table{.name = "tasks",
                                    .owner = Column{"owner_id", Column::Type::kNumber},
                                    .tenant = Column{"org", Column::Type::kNumber}};
  const Findings findings = Check(policy, {kIssuer});
  ASSERT_EQ(findings.mistakes.size(), 2U);
  EXPECT_EQ(findings.mistakes[0].path, "resources.task.table.owner.type");
  EXPECT_EQ(findings.mistakes[0].what, "must be text or integer, since it is compared as text");
  EXPECT_EQ(findings.mistakes[1].path, "resources.task.table.tenant.type");
  policy.resources[0].table->owner->type = Column::Type::kInteger;
  policy.resources[0].table->tenant->type = Column::Type::kInteger;
  EXPECT_THAT(Check(policy, {kIssuer}).mistakes, IsEmpty());
}

TEST(PolicyCheckTest, WarnsOfRolesThatNoRuleNames) {
  Definition policy = Good();
  policy.roles.push_back({.name = "auditor"});
  const Findings findings = Check(policy, {kIssuer});
  ASSERT_EQ(findings.warnings.size(), 1U);
  EXPECT_EQ(findings.warnings[0].path, "roles.auditor");
}

// The only warning about the policy.
std::string WarningOf(const Definition& policy) {
  const Findings findings = Check(policy, {kIssuer, "https://other.example"});
  if (!findings.mistakes.empty()) return "mistake: " + findings.mistakes[0].what;
  if (findings.warnings.size() != 1) return std::to_string(findings.warnings.size());
  return findings.warnings[0].path + ": " + findings.warnings[0].what;
}

Definition OfOneIssuer() {
  Definition policy = Good();
  policy.resources[0].issuers = {kIssuer};
  return policy;
}

TEST(PolicyCheckTest, WarnsOfARoleThatStandsInOneIncludesAndNowhereElse) {
  Definition policy = OfOneIssuer();
  policy.roles.push_back({.name = "boss", .includes = {"suport"}});
  Read(policy).allow.push_back({.who = {Who::Kind::kRole, "boss"}});
  EXPECT_EQ(WarningOf(policy),
            "roles.boss.includes[0]: the role \"suport\" is written nowhere else; did you mean "
            "\"support\"?");
  policy.roles.back().includes = {"viewer"};
  EXPECT_EQ(WarningOf(policy),
            "roles.boss.includes[0]: the role \"viewer\" is written nowhere else");
  policy.roles.push_back({.name = "viewer"});
  EXPECT_EQ(WarningOf(policy), "roles.viewer: no rule names this role or one that it includes");
  policy.roles.pop_back();
  Read(policy).allow.back().who.name = "viewer";
  EXPECT_EQ(WarningOf(policy), "0");
}

TEST(PolicyCheckTest, WarnsOfARuleThatStandsTwice) {
  Definition policy = OfOneIssuer();
  EXPECT_EQ(WarningOf(policy), "0");
  Read(policy).allow.push_back(Read(policy).allow[0]);
  EXPECT_EQ(WarningOf(policy),
            "resources.task.actions.read.allow[2]: is the same rule as "
            "resources.task.actions.read.allow[0]");
}

TEST(PolicyCheckTest, WarnsOfARuleThatSaysNothingMoreThanAnother) {
  Definition policy = OfOneIssuer();
  std::vector<Rule>& allow = Read(policy).allow;
  allow.push_back({.who = {Who::Kind::kOwner}, .when = {Present()}});
  EXPECT_EQ(WarningOf(policy),
            "resources.task.actions.read.allow[2]: says nothing more than "
            "resources.task.actions.read.allow[0]");
  std::swap(allow[0], allow[2]);
  EXPECT_EQ(WarningOf(policy),
            "resources.task.actions.read.allow[0]: says nothing more than "
            "resources.task.actions.read.allow[2]");
  allow.pop_back();
  EXPECT_EQ(WarningOf(policy), "0");
  allow.push_back({.who = {Who::Kind::kRole, "admin"}});
  EXPECT_EQ(WarningOf(policy),
            "resources.task.actions.read.allow[2]: says nothing more than "
            "resources.task.actions.read.allow[1]");
  allow[1].when = {Present()};
  EXPECT_EQ(WarningOf(policy), "0") << "admin without the condition";
  allow[2].when = {Not(Present())};
  EXPECT_EQ(WarningOf(policy), "0");
}

TEST(PolicyCheckTest, WarnsOfSeveralIssuersOfOneResource) {
  Definition policy = OfOneIssuer();
  policy.resources[0].issuers.emplace_back("https://other.example");
  EXPECT_EQ(WarningOf(policy),
            "resources.task.issuers: names 2 issuers: an equal subject of each counts as the same "
            "one");
}

TEST(PolicyCheckTest, WarnsOfWhatIsOpenToEverybody) {
  Definition policy = OfOneIssuer();
  policy.resources[0].tenancy = Tenancy::kNone;
  policy.resources[0].actions.push_back(
      {.name = "list", .allow = {{.who = {Who::Kind::kAuthenticated}}}, .is_public = true});
  EXPECT_EQ(WarningOf(policy), "resources.task: is open to everybody who has a token: list");
  policy.resources[0].actions[1].deny = {
      {.who = {Who::Kind::kAuthenticated}, .when = {Equals("secret")}}};
  EXPECT_EQ(WarningOf(policy), "0");
}

TEST(PolicyCheckTest, WarnsOfWhatIsOpenToEverybodyOfATenant) {
  Definition policy = OfOneIssuer();
  policy.resources[0].actions.push_back(
      {.name = "list", .allow = {{.who = {Who::Kind::kAuthenticated}}}});
  EXPECT_EQ(WarningOf(policy), "resources.task: is open to everybody of its tenant: list");
  policy.resources[0].actions[1].allow = {
      {.who = {Who::Kind::kAuthenticated}, .when = {Present()}},
      {.who = {Who::Kind::kAuthenticated}, .when = {Not(Present())}}};
  EXPECT_EQ(WarningOf(policy), "resources.task: is open to everybody of its tenant: list");
  policy.resources[0].actions[1].allow.pop_back();
  EXPECT_EQ(WarningOf(policy), "0");
}

TEST(PolicyCheckTest, WarnsOfPublicThatNobodyNeeds) {
  Definition policy = OfOneIssuer();
  const std::string warning =
      "resources.task.actions.read.public: is not needed: its rules do not allow everybody who has "
      "a token; leave it out";
  Read(policy).is_public = true;
  EXPECT_EQ(WarningOf(policy), warning);
  policy.resources[0].tenancy = Tenancy::kNone;
  EXPECT_EQ(WarningOf(policy), warning);
  Read(policy).allow.push_back({.who = {Who::Kind::kAuthenticated}, .when = {Present()}});
  EXPECT_EQ(WarningOf(policy), warning);
  Read(policy).allow.push_back({.who = {Who::Kind::kAuthenticated}, .when = {Not(Present())}});
  EXPECT_EQ(WarningOf(policy), "resources.task: is open to everybody who has a token: read");
}

TEST(PolicyCheckTest, WarnsOfConditionsThatContradictEachOther) {
  Definition policy = OfOneIssuer();
  Read(policy).allow[0].when = {Equals("open"), Not(Equals("done"))};
  EXPECT_EQ(WarningOf(policy), "0");
  Read(policy).allow[0].when = {Equals("open"), Equals("done")};
  EXPECT_EQ(WarningOf(policy),
            "resources.task.actions.read.allow[0]: can never match: its conditions contradict each "
            "other");
}

TEST(PolicyCheckTest, WarnsOfADenyThatAlwaysHolds) {
  Definition policy = OfOneIssuer();
  Read(policy).deny = {{.who = {Who::Kind::kAuthenticated}, .when = {Present()}}};
  EXPECT_EQ(WarningOf(policy), "0");
  Read(policy).deny = {
      {.who = {Who::Kind::kAuthenticated}, .when = {Either(Not(Present()), Present())}}};
  EXPECT_EQ(WarningOf(policy),
            "resources.task.actions.read.deny[0]: has conditions that are never false, so that no "
            "rule of allow can match");
}

TEST(PolicyCheckTest, ANameInAPathIsWrittenAsInTheConfiguration) {
  Definition policy = OfOneIssuer();
  policy.resources[0].type = "a\"b";
  policy.resources[0].issuers = {"https://x"};
  const Findings findings = Check(policy, {kIssuer});
  EXPECT_EQ(findings.mistakes.at(0).path, "resources.a\\\"b.issuers[0]");
}

TEST(PolicyCheckTest, WarnsOfARuleThatDenyAlwaysBeats) {
  Definition policy = Good();
  Read(policy).deny = {{.who = {Who::Kind::kRole, "support"}}};
  const Findings findings = Check(policy, {kIssuer});
  ASSERT_EQ(findings.warnings.size(), 1U);
  EXPECT_EQ(findings.warnings[0].path, "resources.task.actions.read.allow[1]");
}

}  // namespace
}  // namespace gatehouse::policy
