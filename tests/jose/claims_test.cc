#include "server/jose/claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/jose/jose_fixture.h"

namespace gatehouse::jose {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// What a token with this claim says; fails the test if it is refused.
Claims ClaimsWith(absl::string_view name, absl::string_view json) {
  absl::StatusOr<VerifiedJwt> jwt = VerifiedClaims(ClaimsText().With(name, json).Json());
  EXPECT_TRUE(jwt.ok()) << name << " " << json << ": " << jwt.status();
  return jwt.ok() ? jwt->claims() : Claims();
}

std::string RefusalWith(absl::string_view name, absl::string_view json) {
  return RefusalOfClaims(ClaimsText().With(name, json).Json());
}

void ExpectRefused(absl::string_view name, std::initializer_list<absl::string_view> values) {
  for (const absl::string_view json : values) {
    EXPECT_THAT(RefusalWith(name, json), HasSubstr(std::string(name))) << json;
  }
}

TEST(Claims, WhatTheTokenSaysIsReadAsItStands) {
  const std::string json = ClaimsText()
                               .With("jti", R"("t-1")")
                               .With("nbf", "1795216300")
                               .With("email", R"("ada@example.com")")
                               .Json();
  const absl::StatusOr<VerifiedJwt> jwt = VerifiedClaims(json);
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  const Claims& claims = jwt->claims();
  EXPECT_EQ(claims.issuer, "https://issuer.example");
  EXPECT_EQ(claims.subject, "user-1");
  EXPECT_THAT(claims.audiences, ElementsAre("https://api.example"));
  EXPECT_EQ(claims.issue_time, absl::FromUnixSeconds(kIssuedAt));
  EXPECT_EQ(claims.expire_time, absl::FromUnixSeconds(kExpiresAt));
  EXPECT_EQ(claims.not_before, absl::FromUnixSeconds(1795216300));
  EXPECT_EQ(claims.token_id, "t-1");
  EXPECT_EQ(claims.email, "ada@example.com");
  EXPECT_EQ(claims.json, json);
}

TEST(Claims, ALongClaimsSetIsReadLikeAShortOne) {
  const std::string filler = absl::StrCat("\"", std::string(4000, 'x'), "\"");
  const std::string json = ClaimsText().With("filler", filler).With("org", "\"o-1\"").Json();
  const absl::StatusOr<VerifiedJwt> jwt = VerifiedClaims(json);
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_EQ(jwt->claims().tenant, "o-1");
  EXPECT_EQ(jwt->claims().json, json);
}

TEST(Claims, MissingRequiredClaimsAreRefused) {
  for (const char* name : {"iss", "sub", "aud", "exp", "iat"}) {
    EXPECT_EQ(RefusalOfClaims(ClaimsText().Without(name).Json()),
              absl::StrCat("claim ", name, " is missing"));
  }
}

TEST(Claims, ANameTwiceIsRefused) {
  const std::string json = ClaimsText().Json();
  EXPECT_THAT(RefusalOfClaims(absl::StrCat("{\"sub\":\"admin\",", json.substr(1))),
              HasSubstr("twice"));
  EXPECT_THAT(RefusalOfClaims(absl::StrCat("{\"s\\u0075b\":\"admin\",", json.substr(1))),
              HasSubstr("twice"));
}

TEST(Claims, IssAndSubAreNonEmptyStrings) {
  ExpectRefused("iss", {"\"\"", "null", "1", "[]", "[\"https://issuer.example\"]", "{}"});
  ExpectRefused("sub", {"\"\"", "null", "1", "[]", "[\"user-1\"]", "{}", "true"});
}

TEST(Claims, AControlCharacterIsRefusedInEveryIdentifier) {
  EXPECT_EQ(ClaimsWith("sub", "\"J\u00fcrgen \u65e5\u672c ~\"").subject,
            "J\u00fcrgen \u65e5\u672c ~");
  for (const char* name : {"sub", "jti", "sid", "org", "client_id", "roles", "scope"}) {
    for (const char* text :
         {R"("a\u0000")", R"("\u001fa")", R"("\u007f")", R"("\u0080")", R"("x\u009fx")"}) {
      EXPECT_THAT(RefusalWith(name, text), HasSubstr("control")) << name << text;
    }
    EXPECT_EQ(RefusalWith(name, R"("a\u00a0")"), "") << name;
  }
  for (const char* name : {"roles", "scope"}) {
    EXPECT_THAT(RefusalWith(name, R"(["a","b\n"])"), HasSubstr("control"));
  }
  for (const char* name : {"sub", "jti", "sid", "org", "client_id"}) {
    EXPECT_THAT(RefusalWith(name, R"("a\nb")"), HasSubstr("control"));
  }
}

TEST(Claims, AudIsAStringOrStrings) {
  EXPECT_THAT(ClaimsWith("aud", R"(["x","https://api.example"])").audiences,
              ElementsAre("x", "https://api.example"));
  ExpectRefused("aud", {"null", "1", "[]", "{}", "\"\"", R"(["https://api.example",1])",
                        R"(["https://api.example",null])", R"([["https://api.example"]])"});
}

TEST(Claims, AudHoldsOneOfTheList) {
  EXPECT_EQ(RefusalWith("aud", R"("https://other.example")"), "");
  EXPECT_EQ(RefusalWith("aud", R"(["x","https://other.example"])"), "");
  ExpectRefused("aud",
                {R"("https://api.example/")", R"("HTTPS://api.example")", R"("https://api.exampl")",
                 R"(["x","y"])", R"("https://api.example https://other.example")"});
}

TEST(Claims, AnEmptyAudienceMatchesNothing) {
  IssuerRules rules = Rules();
  rules.audiences = {""};
  EXPECT_THAT(RefusalOfClaims(ClaimsText().With("aud", "\"\"").Json(), rules), HasSubstr("aud"));
}

TEST(Claims, TimesAreNumbersInRange) {
  for (const char* name : {"exp", "iat", "nbf"}) {
    ExpectRefused(name, {"\"1795217215\"", "null", "true", "[]", "{}", "-1", "-0.5", "1e300",
                         "9007199254740993", "9007199254740994.0", "18446744073709551615"});
  }
  EXPECT_EQ(ClaimsWith("nbf", "0").not_before, absl::UnixEpoch());
  EXPECT_EQ(ClaimsWith("nbf", "9007199254740992").not_before,
            absl::FromUnixSeconds(int64_t{1} << 53));
  EXPECT_EQ(ClaimsWith("nbf", "9007199254740992.0").not_before,
            absl::FromUnixSeconds(int64_t{1} << 53));
}

TEST(Claims, AFractionOfASecondIsCutAndNeverRoundedUp) {
  const absl::Time second = absl::FromUnixSeconds(kExpiresAt);
  EXPECT_EQ(ClaimsWith("exp", "1795217215.5").expire_time, second + absl::Milliseconds(500));
  EXPECT_EQ(ClaimsWith("exp", "1795217215.0").expire_time, second);
  EXPECT_EQ(ClaimsWith("exp", "1.795217215e9").expire_time, second);
  EXPECT_EQ(ClaimsWith("nbf", "0.0000019").not_before, absl::UnixEpoch() + absl::Microseconds(1));
  EXPECT_EQ(ClaimsWith("nbf", "0.9999999").not_before,
            absl::UnixEpoch() + absl::Microseconds(999999));
  EXPECT_EQ(ClaimsWith("nbf", "0.0000009999999999999996").not_before, absl::UnixEpoch());
  // Times a million this is 5 in a double's arithmetic.
  EXPECT_EQ(ClaimsWith("nbf", "4.9999999999999996e-6").not_before,
            absl::UnixEpoch() + absl::Microseconds(4));
}

TEST(Claims, ALifetimeAtTheLimitIsAcceptedAndBeyondRefused) {
  IssuerRules rules = Rules();
  rules.max_token_lifetime = absl::Seconds(kExpiresAt - kIssuedAt);
  EXPECT_EQ(RefusalOfClaims(ClaimsText().Json(), rules), "");
  EXPECT_THAT(RefusalOfClaims(ClaimsText().With("exp", "1795217216").Json(), rules),
              HasSubstr("max_token_lifetime"));
  EXPECT_THAT(RefusalOfClaims(ClaimsText().With("exp", "1795217215.001").Json(), rules),
              HasSubstr("max_token_lifetime"));
}

TEST(Claims, IatMayBeMissingOnlyWhereTheIssuerSaysSo) {
  IssuerRules rules = Rules();
  rules.allow_missing_iat = true;
  EXPECT_EQ(RefusalOfClaims(ClaimsText().Without("iat").Json(), rules), "");
  EXPECT_THAT(RefusalOfClaims(ClaimsText().With("iat", "null").Json(), rules), HasSubstr("iat"));
}

TEST(Claims, JtiIsAbsentNullOrAString) {
  EXPECT_EQ(ClaimsWith("jti", "null").token_id, "");
  EXPECT_EQ(ClaimsWith("jti", "\"x\"").token_id, "x");
  ExpectRefused("jti", {"1", "[]", "{}", "false"});
}

TEST(Claims, TenantSessionAndClientAreAbsentNullOrOneString) {
  for (const char* name : {"org", "sid", "client_id"}) {
    EXPECT_EQ(RefusalWith(name, "null"), "");
    EXPECT_EQ(RefusalWith(name, "\"x\""), "");
    ExpectRefused(name, {"1", "[]", "[\"x\"]", "{}", "true"});
  }
  EXPECT_EQ(ClaimsWith("org", "\"o-1\"").tenant, "o-1");
  EXPECT_EQ(ClaimsWith("org", "null").tenant, "");
  EXPECT_EQ(ClaimsWith("sid", "\"s-1\"").session_id, "s-1");
  EXPECT_EQ(ClaimsWith("client_id", "\"c-1\"").client_id, "c-1");
}

TEST(Claims, AClaimThatTheIssuerDoesNotNameIsNotRead) {
  IssuerRules rules = Rules();
  rules.claims = {.roles = "", .scopes = "", .tenant = "", .session = "", .client = ""};
  const absl::StatusOr<VerifiedJwt> jwt = VerifiedClaims(
      ClaimsText().With("org", "7").With("sid", "7").With("roles", "7").With("", "\"x\"").Json(),
      rules);
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_EQ(jwt->claims().tenant, "");
  EXPECT_THAT(jwt->claims().roles, IsEmpty());
}

TEST(Claims, OneClaimMayServeTwoPurposes) {
  IssuerRules rules = Rules();
  rules.claims.roles = "groups";
  rules.claims.scopes = "groups";
  const absl::StatusOr<VerifiedJwt> jwt =
      VerifiedClaims(ClaimsText().With("groups", R"(["a","b"])").Json(), rules);
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_THAT(jwt->claims().roles, ElementsAre("a", "b"));
  EXPECT_THAT(jwt->claims().scopes, ElementsAre("a", "b"));
}

TEST(Claims, AStringOfRolesIsSplitAtCommasAndWhiteSpace) {
  EXPECT_THAT(ClaimsWith("roles", R"("admin,user")").roles, ElementsAre("admin", "user"));
  EXPECT_THAT(ClaimsWith("roles", R"(" admin ,\tuser\n support,, ")").roles,
              ElementsAre("admin", "user", "support"));
  EXPECT_THAT(ClaimsWith("roles", R"("")").roles, IsEmpty());
  EXPECT_THAT(ClaimsWith("roles", R"(" , ")").roles, IsEmpty());
  EXPECT_THAT(ClaimsWith("scope", R"("read write")").scopes, ElementsAre("read", "write"));
}

TEST(Claims, MembersOfAnArrayOfRolesAreTakenExactly) {
  EXPECT_THAT(ClaimsWith("roles", R"(["super admin","a,b","Admin"])").roles,
              ElementsAre("super admin", "a,b", "Admin"));
  EXPECT_THAT(ClaimsWith("roles", "[]").roles, IsEmpty());
  EXPECT_THAT(ClaimsWith("roles", "null").roles, IsEmpty());
  for (const char* name : {"roles", "scope"}) {
    ExpectRefused(name, {"1", "{}", "true", "[1]", "[\"a\",null]", "[[\"a\"]]"});
  }
}

TEST(Claims, AnEmailThatCannotBeUsedIsIgnored) {
  for (const char* email :
       {"null", "1", "[]", "{}", "true", "[\"a@example.com\"]", R"("a@example.com\u0000")"}) {
    EXPECT_EQ(ClaimsWith("email", email).email, "") << email;
  }
}

TEST(Claims, ATokenBoundToAKeyIsRefused) {
  ExpectRefused("cnf", {"{}", R"({"jkt":"x"})", "null", "\"\""});
}

TEST(Claims, AnotherIssuersTokenIsRefused) {
  ExpectRefused("iss", {R"("https://issuer.example/")", R"("https://Issuer.example")",
                        R"("https://issuer.exampl")"});
}

TEST(Claims, ARefusalHoldsNothingOfTheToken) {
  for (const char* name :
       {"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "cnf", "org", "roles"}) {
    const std::string refusal = RefusalWith(name, R"([{"sneaky":1}])");
    EXPECT_NE(refusal, "") << name;
    EXPECT_THAT(refusal, testing::Not(HasSubstr("sneaky")));
  }
}

}  // namespace
}  // namespace gatehouse::jose
