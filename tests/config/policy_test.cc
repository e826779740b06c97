#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "server/config/config.h"

namespace gatehouse::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// A good file with this policy; its first line is line 9.
absl::StatusOr<Config> With(absl::string_view policy) {
  return ParseConfig(absl::StrCat(R"(issuers:
  - issuer: https://issuer.example
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_url: "https://issuer.example/jwks"}
revocations:
  sqlite: {path: a.db}

)",
                                  policy),
                     "g.yaml");
}

TEST(PolicyConfigTest, IsReadAsItIsWritten) {
  const auto config = With(R"(policy:
  roles: {admin: {includes: [support]}}
  resources:
    task:
      tenant: required
      actions:
        read:
          allow: [owner, "role:support", "scope:task:read", "relation:editor"]
        delete:
          allow:
            - who: role:admin
              when:
                - {attribute: status, in: [open, done]}
                - not: {claim: /a/b, present: true}
                - any: [{attribute: size, at_most: 7}, {attribute: dept, equals_claim: dept}]
          deny:
            - {when: [{attribute: locked, equals: "yes"}]}
)");
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_TRUE(config->policy.has_value());
  ASSERT_THAT(config->policy->resources, SizeIs(1));
  const policy::Resource& task = config->policy->resources[0];
  EXPECT_EQ(task.tenancy, policy::Tenancy::kRequired);
  ASSERT_THAT(task.actions, SizeIs(2));
  const policy::Action& erase = task.actions[0];
  EXPECT_EQ(erase.name, "delete");
  ASSERT_THAT(erase.allow, SizeIs(1));
  EXPECT_EQ(erase.allow[0].who.name, "admin");
  ASSERT_THAT(erase.allow[0].when, SizeIs(3));
  EXPECT_THAT(erase.allow[0].when[0].values, ElementsAre("open", "done"));
  EXPECT_EQ(erase.allow[0].when[1].kind, policy::Condition::Kind::kNot);
  EXPECT_EQ(erase.allow[0].when[1].inner.at(0).of, policy::Condition::Of::kClaim);
  EXPECT_EQ(erase.allow[0].when[2].inner.at(0).number, 7);
  ASSERT_THAT(erase.deny, SizeIs(1));
  EXPECT_EQ(erase.deny[0].who.kind, policy::Who::Kind::kAuthenticated);
  const policy::Action& read = task.actions[1];
  ASSERT_THAT(read.allow, SizeIs(4));
  EXPECT_EQ(read.allow[2].who.name, "task:read");
  EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("task.tenant: is required, but no token")));
}

TEST(PolicyConfigTest, ATableIsReadWithShortAndLongColumns) {
  const auto config = With(R"(policy:
  resources:
    task:
      actions: {read: {allow: [owner, {who: "relation:editor", when: [{attribute: size, less_than: 3}]}]}}
      table:
        name: app.tasks
        owner: owner_id
        tenant: org_id
        attributes: {size: {name: bytes, type: integer}}
        relations: {editor: {table: editors, resource: task_id, subject: user_id}}
)");
  ASSERT_TRUE(config.ok()) << config.status();
  const policy::Table& table = config->policy->resources[0].table.value();
  EXPECT_EQ(table.owner->name, "owner_id");
  EXPECT_EQ(table.attributes.at("size").type, policy::Column::Type::kInteger);
  EXPECT_EQ(table.relations.at("editor").subject, "user_id");
}

struct Case {
  const char* name;
  const char* policy;
  const char* message;
};
class BadPolicyConfig : public ::testing::TestWithParam<Case> {};

TEST_P(BadPolicyConfig, IsRefusedWithLineAndField) {
  const auto config = With(GetParam().policy);
  ASSERT_FALSE(config.ok());
  EXPECT_THAT(std::string(config.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Policy, BadPolicyConfig,
    ::testing::Values(
        Case{"Empty", "policy: {}", "g.yaml:9: policy.resources: needs at least one resource"},
        Case{"ResourceTwice",
             "policy:\n  resources:\n    task: {actions: {read: {allow: [owner]}}}\n"
             "    task: {actions: {read: {allow: [owner]}}}",
             "g.yaml:12: policy.resources.task: is given twice; first on line 11"},
        Case{"NoRule", "policy:\n  resources:\n    task: {actions: {read: {}}}",
             "g.yaml:11: policy.resources.task.actions.read.allow: needs at least one rule"},
        Case{"UnknownRole",
             "policy:\n  resources:\n    task: {actions: {read: {allow: [\"role:admin\"]}}}",
             "g.yaml:11: policy.resources.task.actions.read.allow[0]: the role \"admin\" is not"},
        Case{"UnknownWho",
             "policy:\n  resources:\n    task: {actions: {read: {allow: [everybody]}}}",
             "g.yaml:11: policy.resources.task.actions.read.allow[0]: must be owner, role:NAME"},
        Case{"UnknownField", "policy:\n  resources:\n    task: {action: {read: {allow: [owner]}}}",
             "did you mean \"actions\"?"},
        Case{"Tenant",
             "policy:\n  resources:\n    task: {tenant: always, actions: {a: {allow: [owner]}}}",
             "policy.resources.task.tenant: must be required, optional or none"},
        Case{"TwoTests",
             "policy:\n  resources:\n    task: {actions: {a: {allow: [{who: owner, when: "
             "[{attribute: x, equals: a, prefix: b}]}]}}}",
             "needs exactly one of equals, in"},
        Case{"NoTest",
             "policy:\n  resources:\n    task: {actions: {a: {allow: [{who: owner, when: "
             "[{attribute: x}]}]}}}",
             "needs exactly one of equals, in"},
        Case{"NumberThatIsNone",
             "policy:\n  resources:\n    task: {actions: {a: {allow: [{who: owner, when: "
             "[{attribute: x, at_most: ten}]}]}}}",
             "when[0].at_most: must be a decimal number"},
        Case{
            "ColumnThatIsNoName",
            "policy:\n  resources:\n    task:\n      actions: {a: {allow: [owner]}}\n      tenant: "
            "none\n      table: {name: tasks, owner: \"id; DROP TABLE x\"}",
            "g.yaml:14: policy.resources.task.table.owner: must be a name of letters"},
        Case{
            "ColumnThatIsMissing",
            "policy:\n  resources:\n    task:\n      actions: {a: {allow: [owner]}}\n      tenant: "
            "none\n      table: {name: tasks}",
            "g.yaml:14: policy.resources.task.table: needs owner"},
        Case{"TextComparedAsNumber",
             "policy:\n  resources:\n    task:\n      tenant: none\n      actions: {a: {allow: "
             "[{who: "
             "owner, when: [{attribute: x, at_most: 1}]}]}}\n      table: {name: tasks, owner: o, "
             "attributes: {x: x}}",
             "needs attributes.x of type integer or number"},
        Case{"RelationThatIsMissing",
             "policy:\n  resources:\n    task:\n      tenant: none\n      actions: {a: {allow: "
             "[\"relation:editor\"]}}\n      table: {name: tasks}",
             "g.yaml:14: policy.resources.task.table: needs relations.editor"},
        Case{"AttributeThatIsMissing",
             "policy:\n  resources:\n    task:\n      tenant: none\n      actions: {a: {allow: "
             "[{who: authenticated, when: [{attribute: x, equals: a}]}]}}\n      table: {name: "
             "tasks}",
             "g.yaml:14: policy.resources.task.table: needs attributes.x"},
        Case{"ConditionOfAnUnknownKind",
             "policy:\n  resources:\n    task: {actions: {a: {allow: [{who: owner, when: "
             "[{attribute: x,\n      matches: a}]}]}}}",
             "g.yaml:12: policy.resources.task.actions.a.allow[0].when[0].matches: unknown field"},
        Case{"InOfNothing",
             "policy:\n  resources:\n    task: {actions: {a: {allow: [{who: owner, when: "
             "[{attribute: x,\n      in: []}]}]}}}",
             "g.yaml:11: policy.resources.task.actions.a.allow[0].when[0]: compares with nothing"},
        Case{"EmptyAllow",
             "policy:\n  resources:\n    task:\n      actions:\n        a: {allow: []}",
             "g.yaml:13: policy.resources.task.actions.a.allow: needs at least one rule"},
        Case{"RoleTwice", "policy:\n  roles:\n    admin: {}\n    admin: {}",
             "g.yaml:12: policy.roles.admin: is given twice; first on line 11"},
        Case{"ActionTwice",
             "policy:\n  resources:\n    task:\n      actions:\n        a: {allow: [owner]}\n      "
             "  a: {allow: [owner]}",
             "g.yaml:14: policy.resources.task.actions.a: is given twice; first on line 13"},
        Case{"RolesInACircle",
             "policy:\n  roles:\n    admin: {includes: [staff]}\n    staff: {includes: [admin]}",
             "g.yaml:11: policy.roles.admin: includes itself, directly or through others"},
        Case{"UnknownIssuer",
             "policy:\n  resources:\n    task:\n      issuers: [https://ISSUER.example]\n      "
             "actions: {a: {allow: [owner]}}",
             "g.yaml:12: policy.resources.task.issuers[0]: \"https://ISSUER.example\" is none"},
        Case{
            "EverybodyWithoutPublic",
            "policy:\n  resources:\n    task:\n      actions:\n        a: {allow: [authenticated]}",
            "g.yaml:13: policy.resources.task.actions.a.allow[0]: allows everybody who has a "
            "token; if that is meant, say public: true"},
        Case{"EverybodyByATautology",
             "policy:\n  resources:\n    task:\n      actions:\n        a: {allow: [{who: "
             "authenticated, when: [{any: [{attribute: x, present: true}, {attribute: x, present: "
             "false}]}]}]}",
             "g.yaml:13: policy.resources.task.actions.a.allow[0]: has conditions that always "
             "hold, and so allows everybody"},
        Case{"MalformedClaim",
             "policy:\n  resources:\n    task:\n      actions:\n        a: {allow: [{who: owner, "
             "when: [{attribute: x, equals_claim: /~2}]}]}",
             "g.yaml:13: policy.resources.task.actions.a.allow[0].when[0].equals_claim: begins "
             "with /"}),
    [](const auto& info) { return std::string(info.param.name); });

// What is wrong with an action that has these rules; line 11 is all of it.
std::string MessageOfAction(absl::string_view rules) {
  const auto config =
      With(absl::StrCat("policy:\n  resources:\n    task: {actions: {read: {", rules, "}}}\n"));
  return config.ok() ? "was accepted" : std::string(config.status().message());
}

TEST(PolicyConfigTest, AFrequentMistakeIsToldOnceAndWithWhatToWrite) {
  const std::string read = "g.yaml:11: policy.resources.task.actions.read.";
  EXPECT_EQ(MessageOfAction("allow: [owner, role: editor]"),
            read + "allow[1].role: unknown field; did you mean \"role:editor\", without a blank?");
  EXPECT_EQ(MessageOfAction("allow: [\"relation: editor\"]"),
            read + "allow[0]: has a blank around the name; did you mean \"relation:editor\"?");
  const std::string when = read + "allow[0].when[0]: needs exactly one of ";
  const std::string tests =
      "equals, in, prefix, equals_claim, present, less_than, at_most, greater_than, at_least";
  EXPECT_EQ(MessageOfAction("allow: [{who: owner, when: [{attribute: size}]}]"), when + tests);
  EXPECT_EQ(MessageOfAction("allow: [{who: owner, when: [{attribute: a, equals: b, prefix: b}]}]"),
            when + tests);
  const std::string shapes = "attribute, claim, all, any, not";
  EXPECT_EQ(MessageOfAction("allow: [{who: owner, when: [{attribute: a, any: [{claim: b}]}]}]"),
            when + shapes);
  EXPECT_EQ(MessageOfAction("allow: [{who: owner, when: [{all: [], any: []}]}]"), when + shapes);
  EXPECT_EQ(MessageOfAction("allow: [{who: owner, when: [{}]}]"), when + shapes);
  EXPECT_EQ(MessageOfAction("allow: [owner], deny: [{}]"),
            read +
                "deny[0]: needs when, or who, which must be owner, role:NAME, scope:NAME, "
                "relation:NAME or authenticated");
  EXPECT_EQ(MessageOfAction("allow: [{who: owner, when: [{attribute: a, in: []}]}]"),
            read +
                "allow[0].when[0]: compares with nothing; list what it may be, such as in: "
                "[open, done]");
}

TEST(PolicyConfigTest, WrongIndentationIsCalledThat) {
  const std::string hint = "; mind the indentation here and above, in which YAML takes no tabs";
  const auto message = [](absl::string_view policy) {
    return std::string(With(policy).status().message());
  };
  EXPECT_EQ(message("policy:\n  resources:\n\ttask: {actions: {read: {allow: [owner]}}}\n"),
            "g.yaml:11: YAML: end of map not found" + hint);
  EXPECT_EQ(
      message("policy:\n  resources:\n    task:\n     tenant: none\n    actions: {}\n   x: y\n"),
      "g.yaml:14: YAML: end of map not found" + hint);
  EXPECT_EQ(message("policy:\n  resources:\n    task:\n      tenant: none\n        actions: {}\n"),
            "g.yaml:13: YAML: illegal map value" + hint);
}

constexpr char kTwoIssuers[] = R"(issuers:
  - issuer: https://a
    audiences: [x]
    algorithms: [EdDSA]
    keys: {jwks_url: "https://a/k"}
    may_assert: {roles: any, scopes: any, tenants: any}
  - issuer: https://b
    audiences: [x]
    algorithms: [EdDSA]
    keys: {jwks_url: "https://b/k"}
    claims: {tenant: org, roles: groups}
    may_assert: {roles: [user], scopes: [read], tenants: none}
revocations: {sqlite: {path: a.db}}
)";

TEST(PolicyConfigTest, SeveralIssuersOfOneResourceAreAWarning) {
  const auto config = ParseConfig(absl::StrCat(kTwoIssuers, R"(policy:
  resources:
    task: {issuers: ["https://a", "https://b"], actions: {read: {allow: [owner]}}}
    note: {issuers: ["https://b"], actions: {read: {allow: [owner]}}}
)"),
                                  "g.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->policy->resources[1].issuers, ElementsAre("https://a", "https://b"));
  EXPECT_THAT(config->warnings,
              ElementsAre("g.yaml:16: policy.resources.task.issuers: names 2 issuers: an equal "
                          "subject of each counts as the same one"));
}

TEST(PolicyConfigTest, WarnsOfWhatNoIssuerMayAssert) {
  const auto config = ParseConfig(absl::StrCat(kTwoIssuers, R"(policy:
  roles: {admin: {includes: [user]}}
  resources:
    task:
      issuers: ["https://b"]
      tenant: required
      actions:
        read: {allow: ["role:user", "scope:read"]}
        write:
          allow:
            - role:admin
            - scope:write
    note: {issuers: ["https://a"], actions: {read: {allow: ["role:admin", "scope:write"]}}}
)"),
                                  "g.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(
      config->warnings,
      ElementsAre(HasSubstr("g.yaml:19: policy.resources.task.tenant: is required, but no token"),
                  HasSubstr("g.yaml:24: policy.resources.task.actions.write.allow[0]: can never "
                            "match: none of the resource's issuers may assert this role"),
                  HasSubstr("g.yaml:25: policy.resources.task.actions.write.allow[1]: can never "
                            "match: none of the resource's issuers may assert this scope")));
}

// What is said of a condition on a task of `issuers`.
std::string SaidOf(absl::string_view issuers, absl::string_view condition) {
  const auto config = ParseConfig(
      absl::StrCat(kTwoIssuers, "policy:\n  resources:\n    task:\n      issuers: [", issuers,
                   "]\n      actions:\n        read: {allow: [{who: owner, when: [{", condition,
                   "}]}]}\n"),
      "g.yaml");
  return config.ok() ? "was accepted" : std::string(config.status().message());
}

constexpr char kPlace[] = "g.yaml:19: policy.resources.task.actions.read.allow[0].when[0].";

TEST(PolicyConfigTest, AClaimThatMayAssertLimitsIsNotTestedPastIt) {
  const auto message = [](absl::string_view claim) {
    return SaidOf("\"https://b\"", absl::StrCat("claim: ", claim, ", equals: admin"));
  };
  const std::string place = absl::StrCat(kPlace, "claim: is the claim of the ");
  EXPECT_EQ(message("groups"), place +
                                   "roles that may_assert limits for https://b; test it by "
                                   "role:NAME");
  EXPECT_EQ(message("/groups"), message("groups"));
  EXPECT_EQ(message("scp"), place +
                                "scopes that may_assert limits for https://b; test it by "
                                "scope:NAME");
  EXPECT_EQ(message("org"), place +
                                "tenants that may_assert limits for https://b; test it by the "
                                "resource type's tenant: required or optional");
  EXPECT_EQ(message("email"), "was accepted");
}

TEST(PolicyConfigTest, AClaimThatIsAnotherIssuersListIsNotTestedPastMayAssertEither) {
  const std::string both = R"("https://a", "https://b")";
  EXPECT_THAT(SaidOf(both, "claim: roles, present: true"),
              HasSubstr("claim: is the claim of the roles that may_assert limits for https://b"));
  EXPECT_THAT(SaidOf(both, "attribute: org, equals_claim: org"),
              HasSubstr(absl::StrCat(kPlace, "equals_claim: is the claim of the tenants")));
  EXPECT_THAT(SaidOf(both, "any: [{not: {claim: groups, equals: x}}]"),
              HasSubstr("any[0].not.claim: is the claim of the roles"));
  for (const char* claim : {"roles", "scope", "scp", "groups", "org"}) {
    EXPECT_EQ(SaidOf("\"https://a\"", absl::StrCat("claim: ", claim, ", equals: x")),
              "was accepted")
        << claim << " of an issuer that may assert any";
  }
}

TEST(PolicyConfigTest, WarningsSayLineAndField) {
  const auto config = With(
      "policy:\n  roles: {admin: {}}\n  resources:\n    task: {actions: {read: {allow: [owner]}}}");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("g.yaml:10: policy.roles.admin: no rule")));
}

}  // namespace
}  // namespace gatehouse::config
