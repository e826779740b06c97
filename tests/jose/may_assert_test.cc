#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/jose/jose_fixture.h"

namespace gatehouse::jose {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Names = std::vector<std::string>;

IssuerRules With(MayAssert may) {
  IssuerRules rules = Rules();
  rules.claims.tenant = "org";
  rules.may_assert = std::move(may);
  return rules;
}

std::string Text(const char* roles, const char* scope, const char* tenant) {
  return ClaimsText().With("roles", roles).With("scope", scope).With("org", tenant).Json();
}

TEST(MayAssert, UnsetBelievesEverything) {
  const auto jwt = VerifiedClaims(Text(R"(["admin","user"])", R"("a b")", R"("acme")"), With({}));
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_THAT(jwt->claims().roles, ElementsAre("admin", "user"));
  EXPECT_THAT(jwt->claims().scopes, ElementsAre("a", "b"));
  EXPECT_EQ(jwt->claims().tenant, "acme");
  EXPECT_EQ(jwt->claims().not_believed, 0U);
}

TEST(MayAssert, RolesAndScopesThatAreNotListedAreLeftOut) {
  const auto rules = With({.roles = Names{"support", "user"}, .scopes = Names{"b"}});
  const auto jwt = VerifiedClaims(
      Text(R"(["admin","user","User","use","support"])", R"("a b c")", "null"), rules);
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_THAT(jwt->claims().roles, ElementsAre("user", "support"));
  EXPECT_THAT(jwt->claims().scopes, ElementsAre("b"));
  EXPECT_EQ(jwt->claims().not_believed, 5U);
}

TEST(MayAssert, AListHoldsForEveryWayToWriteRolesAndScopes) {
  const auto rules = With({.roles = Names{"user"}, .scopes = Names{"b"}});
  const auto jwt = VerifiedClaims(
      ClaimsText().With("roles", R"("admin, user")").With("scp", R"(["a","b"])").Json(), rules);
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_THAT(jwt->claims().roles, ElementsAre("user"));
  EXPECT_THAT(jwt->claims().scopes, ElementsAre("b"));
}

TEST(MayAssert, NoneLeavesNoRoleAndNoScope) {
  const auto jwt = VerifiedClaims(Text(R"(["admin"])", R"("a")", "null"),
                                  With({.roles = Names{}, .scopes = Names{}, .tenants = Names{}}));
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_THAT(jwt->claims().roles, IsEmpty());
  EXPECT_THAT(jwt->claims().scopes, IsEmpty());
}

TEST(MayAssert, ATenantThatIsNotListedMakesTheTokenInvalid) {
  const auto rules = With({.tenants = Names{"acme", "globex"}});
  const auto refusal = [&](const char* tenant) {
    const std::string text = Text("[]", R"("")", tenant);
    const auto jwt = VerifiedClaims(text, rules);
    return std::string(jwt.status().message());
  };
  EXPECT_EQ(refusal(R"("acme")"), "");
  EXPECT_EQ(refusal(R"("globex")"), "");
  EXPECT_EQ(refusal("null"), "") << "no tenant";
  EXPECT_EQ(refusal(R"("")"), "") << "no tenant";
  for (const char* tenant :
       {R"("evil")", R"("Acme")", R"("acme ")", R"("acm")", R"("acme,globex")"}) {
    EXPECT_EQ(refusal(tenant), "the issuer may not speak for this tenant") << tenant;
  }
}

TEST(MayAssert, WithNoneNoTenantAtAllIsAccepted) {
  const auto rules = With({.tenants = Names{}});
  EXPECT_TRUE(VerifiedClaims(Text("[]", R"("")", "null"), rules).ok());
  const auto jwt = VerifiedClaims(Text("[]", R"("")", R"("acme")"), rules);
  EXPECT_EQ(jwt.status().message(), "the issuer may not speak for this tenant");
}

TEST(MayAssert, AForeignTenantIsFoundAtTheClaims) {
  const std::string token = Maker(Algorithm::kEdDsa).Sign(Text("[]", R"("")", R"("evil")"));
  auto jwt = UnverifiedJwt::Parse(token);
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  VerifyStep step{};
  EXPECT_FALSE(JwtVerifier::Verify(*std::move(jwt), With({.tenants = Names{"acme"}}),
                                   KeyOf(Maker(Algorithm::kEdDsa)), &step)
                   .ok());
  EXPECT_EQ(step, VerifyStep::kClaims);
}

}  // namespace
}  // namespace gatehouse::jose
