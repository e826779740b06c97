#include "server/edge/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/edge/edge_fixture.h"

namespace gatehouse::edge {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class IdentityTest : public EdgeTest {
 protected:
  Sent By(const std::string& more, Sent sent = {}) const {
    return sent.With("authorization", "Bearer " + TokenWith(more));
  }
  // All spellings that some reader takes for the header.
  static std::vector<std::string> Spellings() {
    return {"x-auth-subject", "X-Auth-Subject", "X-AUTH-SUBJECT", "x_auth_subject",
            "X_AUTH_SUBJECT", "x-auth_subject", "x_auth-subject", "X-Auth_Subject"};
  }
  static bool HoldsForgery(const std::vector<std::pair<std::string, std::string>>& headers) {
    return std::any_of(headers.begin(), headers.end(),
                       [](const auto& header) { return header.second == "eve"; });
  }
};

TEST_F(IdentityTest, ServicesAreToldWhoCalls) {
  EXPECT_THAT(
      Decide(By(R"(,"roles":["admin","dev"],"scope":"read write")")).set,
      UnorderedElementsAre(Pair("x-auth-subject", "ada"), Pair("x-auth-roles", "admin,dev"),
                           Pair("x-auth-tenant", "acme"), Pair("x-auth-scopes", "read write")));
}

TEST_F(IdentityTest, AHeaderWithoutAValueIsRemoved) {
  const Answer answer = Decide(By(""));
  EXPECT_THAT(answer.set,
              UnorderedElementsAre(Pair("x-auth-subject", "ada"), Pair("x-auth-tenant", "acme")));
  EXPECT_THAT(answer.remove, UnorderedElementsAre("x-auth-roles", "x-auth-scopes"));
  EXPECT_THAT(Decide(By(R"(,"roles":[""])")).remove, Contains("x-auth-roles"));
}

TEST_F(IdentityTest, NoSpellingSurvivesOnAnyRoute) {
  for (const std::string& name : Spellings()) {
    for (const std::string target : {"/me", "/public/x", "/api/ada/tasks/1"}) {
      const Sent sent = By("", {.target = target}).With(name, "eve");
      const Answer answer = Decide(sent);
      EXPECT_EQ(answer.status, 200);
      EXPECT_FALSE(HoldsForgery(Upstream(sent, answer))) << name << " " << target;
    }
  }
}

TEST_F(IdentityTest, AProxyThatCannotRemoveGetsBadRequestForEachSpelling) {
  for (const std::string& name : Spellings()) {
    for (const std::string target : {"/me", "/public/x"}) {
      EXPECT_EQ(StatusOf(By("", {.target = target, .can_remove_headers = false}).With(name, "eve")),
                400)
          << name;
    }
  }
  const Answer answer = Decide(By("", {.can_remove_headers = false}));
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.set, Contains(Pair("x-auth-subject", "ada")));
  EXPECT_THAT(answer.remove, IsEmpty());
}

TEST_F(IdentityTest, OnPublicRoutesNobodyIsNamed) {
  const Answer answer = Decide(By("", {.target = "/public/x"}));
  EXPECT_THAT(answer.set, IsEmpty());
  EXPECT_THAT(answer.remove, UnorderedElementsAre("x-auth-subject", "x-auth-roles", "x-auth-tenant",
                                                  "x-auth-scopes"));
}

TEST_F(IdentityTest, WhatCannotBeSaidInAHeaderIsRefused) {
  for (const std::string more :
       {R"(,"roles":["dev,admin"])", R"(,"roles":[" admin"])", R"(,"roles":["admin "])",
        R"(,"roles":["ok","dé"])", R"(,"scope":["read write"])"}) {
    const Answer answer = Decide(By(more));
    EXPECT_EQ(answer.status, 403) << more;
    EXPECT_EQ(answer.reason, "a claim cannot be said in an identity header");
    EXPECT_THAT(answer.set, IsEmpty());
  }
  EXPECT_EQ(StatusOf(By(R"(,"roles":["team lead","a/b:c~!"])")), 200) << "inner spaces can";
}

TEST_F(IdentityTest, ATokenThatWouldEndAHeaderIsInvalid) {
  for (const std::string more : {R"(,"roles":["dev\r\nx-auth-subject: eve"])",
                                 R"(,"roles":["dev\u0000"])", R"(,"roles":["a\tb"])"}) {
    EXPECT_EQ(StatusOf(By(more)), 401) << more;
  }
}

TEST_F(IdentityTest, NoControlCharacterIsSaidWhereverItComesFrom) {
  for (int c = 0; c < 256; ++c) {
    const std::string value = {'a', static_cast<char>(c), 'b'};
    std::vector<std::pair<absl::string_view, std::string>> set;
    std::vector<absl::string_view> remove;
    policy::Principal principal;
    principal.tenant = value;
    EXPECT_EQ(SetIdentity(settings_.identity, principal, {set, remove}), c >= 0x20 && c < 0x7F)
        << c;
  }
}

TEST_F(IdentityTest, OnlyHeadersThatAreWantedAreSaid) {
  settings_.identity = {.subject = "", .roles = "", .tenant = "x-tenant"};
  const Answer answer = Decide(By(R"(,"roles":["dev,admin"])"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.set, UnorderedElementsAre(Pair("x-tenant", "acme")));
}

TEST_F(IdentityTest, TheOtherClaimsAreSaidWhereNamed) {
  settings_.identity.issuer = "x-auth-issuer";
  settings_.identity.email = "x-auth-email";
  const Answer answer = Decide(By(R"(,"email":"ada@example.com")"));
  EXPECT_THAT(answer.set, Contains(Pair("x-auth-issuer", kIssuer)));
  EXPECT_THAT(answer.set, Contains(Pair("x-auth-email", "ada@example.com")));
}

TEST_F(IdentityTest, ANameWithUnderscoresIsFoundByDashesToo) {
  settings_.identity.subject = "x_user";
  for (const std::string name : {"x-user", "X_User", "x_user"}) {
    const Sent sent = By("").With(name, "eve");
    EXPECT_FALSE(HoldsForgery(Upstream(sent, Decide(sent)))) << name;
  }
}

TEST_F(IdentityTest, NoNameIsBothSetAndRemoved) {
  settings_.strip_token = true;
  Sent sent = By(R"(,"roles":["dev"])").With("cookie", "session=x; a=b");
  for (const std::string& name : Spellings()) sent = sent.With(name, "eve");
  const Answer answer = Decide(sent);
  for (const auto& [name, value] : answer.set) {
    for (const absl::string_view removed : answer.remove) {
      EXPECT_FALSE(absl::EqualsIgnoreCase(name, removed)) << name;
    }
  }
}

}  // namespace
}  // namespace gatehouse::edge
