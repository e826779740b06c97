#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/config/config.h"

namespace gatehouse::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Optional;

constexpr char kAnything[] = "may_assert: {roles: any, scopes: any, tenants: any}";

std::string Issuer(absl::string_view name, absl::string_view more) {
  return absl::StrCat("  - issuer: ", name,
                      "\n    audiences: [a]\n    algorithms: [EdDSA]\n"
                      "    keys: {jwks_url: \"https://k.example/jwks\"}\n    ",
                      more, "\n");
}

// What the first issuer has in line 6.
absl::StatusOr<Config> With(absl::string_view more, absl::string_view others = "") {
  return ParseConfig(absl::StrCat("issuers:\n", Issuer("i", more), others,
                                  "revocations: {sqlite: {path: a.db}}\n"),
                     "g.yaml");
}
std::string MessageOf(const absl::StatusOr<Config>& config) {
  return config.ok() ? "was accepted" : std::string(config.status().message());
}

TEST(MayAssertConfig, OneIssuerMayAssertEverythingUnlessSaid) {
  const auto config = With("skew: 1s");
  ASSERT_TRUE(config.ok()) << config.status();
  const jose::MayAssert& may = config->issuers[0].rules.may_assert;
  EXPECT_FALSE(may.roles.has_value() || may.scopes.has_value() || may.tenants.has_value());
  const auto some = With("may_assert: {roles: [user]}");
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_THAT(some->issuers[0].rules.may_assert.roles, Optional(ElementsAre("user")));
  EXPECT_FALSE(some->issuers[0].rules.may_assert.scopes.has_value());
}

TEST(MayAssertConfig, AListAnyOrNoneIsTakenOverInOrder) {
  const auto config = With(
      "may_assert: {roles: [user, admin, Any], scopes: none, tenants: [any]}\n    claims: {tenant: "
      "org}");
  ASSERT_TRUE(config.ok()) << config.status();
  const jose::MayAssert& may = config->issuers[0].rules.may_assert;
  EXPECT_THAT(may.roles, Optional(ElementsAre("Any", "admin", "user")));
  EXPECT_THAT(may.scopes, Optional(IsEmpty()));
  EXPECT_FALSE(may.tenants.has_value());
  EXPECT_THAT(config->warnings, IsEmpty());
}

TEST(MayAssertConfig, SeveralIssuersMustSayAllThree) {
  const std::string good = Issuer("j", kAnything);
  EXPECT_TRUE(With(kAnything, good).ok()) << MessageOf(With(kAnything, good));
  EXPECT_EQ(MessageOf(With("skew: 1s", good)),
            "g.yaml:2: issuers[0].may_assert: is required with several issuers: roles, scopes and "
            "tenants, each a list of those that this one may assert, or any, or none");
  for (const char* field : {"roles", "scopes", "tenants"}) {
    std::string rest = "may_assert: {";
    for (const char* other : {"roles", "scopes", "tenants"}) {
      if (std::string(other) != field) absl::StrAppend(&rest, other, ": any, ");
    }
    rest += "}";
    EXPECT_THAT(MessageOf(With(rest, good)),
                AllOf(HasSubstr(absl::StrCat("g.yaml:6: issuers[0].may_assert.", field,
                                             ": is required with several issuers")),
                      Not(HasSubstr("\n"))));
    EXPECT_TRUE(With(rest).ok()) << "with one issuer it may be left out";
  }
  EXPECT_THAT(MessageOf(With(kAnything, Issuer("j", "skew: 1s"))),
              HasSubstr("g.yaml:7: issuers[1].may_assert: is required"));
}

TEST(MayAssertConfig, WhatIsNoListOfNamesIsRefused) {
  const auto message = [](absl::string_view value) {
    return MessageOf(With(absl::StrCat("may_assert: {roles: ", value, "}")));
  };
  const std::string place = "g.yaml:6: issuers[0].may_assert.roles";
  EXPECT_EQ(message("[]"), place + ": must not be empty; for no name at all write none");
  EXPECT_EQ(message("[any, admin]"), place + "[0]: any must stand alone");
  EXPECT_EQ(message("[admin, none]"), place + "[1]: none must stand alone");
  EXPECT_THAT(message("[any, none]"), HasSubstr(place + "[0]: any must stand alone"));
  EXPECT_EQ(message("[admin, user, admin]"), place + "[2]: \"admin\" is listed twice");
  EXPECT_EQ(message("[\"\"]"), place + "[0]: must not be empty");
  EXPECT_EQ(message("[admin, \"*\"]"),
            place + "[1]: there is no *; for whatever the token says write any");
  EXPECT_EQ(message("\"\""), place + "[0]: must not be empty");
  EXPECT_THAT(message("[\"a\\nb\"]"), HasSubstr(place + "[0]: holds a control character"));
  EXPECT_THAT(message("\"a\\x7Fb\""), HasSubstr(place + ": holds a control character"));
  EXPECT_THAT(message("{any: true}"), HasSubstr(place + ": must be a list"));
  EXPECT_THAT(message("[[admin]]"), HasSubstr(place + "[0]: must be one value"));
  EXPECT_THAT(message(""), HasSubstr(place + ": is empty"));
  EXPECT_THAT(MessageOf(With("may_assert: any")),
              HasSubstr("issuers[0].may_assert: must be a mapping"));
  EXPECT_THAT(MessageOf(With("may_assert: {role: any}")), HasSubstr("did you mean \"roles\"?"));
}

TEST(MayAssertConfig, ANameThatNoPolicyNamesIsAWarning) {
  const std::string policy =
      "policy:\n  roles: {admin: {includes: [support]}}\n  resources: {task: {issuers: [i], "
      "actions: {read: {allow: [\"role:support\", \"scope:tasks:read\"]}}}}\n";
  const auto warnings = [&](absl::string_view may) {
    const auto config = With(absl::StrCat("may_assert: ", may), policy);
    EXPECT_TRUE(config.ok()) << config.status();
    return config.ok() ? config->warnings : std::vector<std::string>();
  };
  EXPECT_THAT(warnings("{roles: [admin, support], scopes: [tasks:read]}"), IsEmpty());
  EXPECT_THAT(warnings("{roles: any, scopes: any}"), IsEmpty());
  EXPECT_THAT(warnings("{roles: [support, admn], scopes: [task:read, other, tasks:read]}"),
              ElementsAre("g.yaml:6: issuers[0].may_assert.roles[1]: the policy names no role "
                          "\"admn\"; did you mean \"admin\"?",
                          "g.yaml:6: issuers[0].may_assert.scopes[0]: the policy names no scope "
                          "\"task:read\"; did you mean \"tasks:read\"?",
                          "g.yaml:6: issuers[0].may_assert.scopes[1]: the policy names no scope "
                          "\"other\""));
  const auto owner = With("may_assert: {roles: [admn]}",
                          "policy: {resources: {task: {actions: {read: {allow: [owner]}}}}}\n");
  EXPECT_THAT(owner->warnings, IsEmpty()) << "of a policy without roles";
  EXPECT_THAT(With("may_assert: {roles: [admn]}")->warnings, IsEmpty()) << "without a policy";
}

TEST(MayAssertConfig, TenantsOfAnIssuerWithoutATenantClaimAreAWarning) {
  const auto config = With("may_assert: {tenants: [acme]}");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(
      config->warnings,
      ElementsAre(HasSubstr("g.yaml:6: issuers[0].may_assert.tenants: lists tenants, but")));
  EXPECT_THAT(With("may_assert: {tenants: none}")->warnings, IsEmpty());
}

}  // namespace
}  // namespace gatehouse::config
