#include "server/jose/claim_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/jose/jose_fixture.h"

namespace gatehouse::jose {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> SegmentsOf(absl::string_view text) {
  const absl::StatusOr<ClaimPath> path = ClaimPath::Parse(text);
  EXPECT_TRUE(path.ok()) << text;
  if (!path.ok()) return {};
  EXPECT_EQ(path->text(), text);
  return path->segments();
}

TEST(ClaimPath, ANameIsTakenExactlyAsItStands) {
  EXPECT_THAT(SegmentsOf("roles"), ElementsAre("roles"));
  EXPECT_THAT(SegmentsOf("realm_access.roles"), ElementsAre("realm_access.roles"));
  EXPECT_THAT(SegmentsOf("https://example.com/roles"), ElementsAre("https://example.com/roles"));
  EXPECT_THAT(SegmentsOf("a~2/b~"), ElementsAre("a~2/b~"));
  EXPECT_THAT(SegmentsOf(""), IsEmpty());
}

TEST(ClaimPath, ATextThatBeginsWithASlashIsAJsonPointer) {
  EXPECT_THAT(SegmentsOf("/realm_access/roles"), ElementsAre("realm_access", "roles"));
  EXPECT_THAT(SegmentsOf("/https:~1~1example.com~1roles"),
              ElementsAre("https://example.com/roles"));
  EXPECT_THAT(SegmentsOf("/a~01/~1~0"), ElementsAre("a~1", "/~"));
  EXPECT_THAT(SegmentsOf("/"), ElementsAre(""));
  EXPECT_THAT(SegmentsOf("/a//b/"), ElementsAre("a", "", "b", ""));
  for (const char* text : {"/a~2b", "/~", "/a~/b", "/a/b~"}) {
    EXPECT_EQ(ClaimPath::Parse(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

// A token with these further members, under these names.
absl::StatusOr<VerifiedJwt> With(const ClaimNames& names, const std::string& members) {
  IssuerRules rules = Rules();
  rules.claims = names;
  std::string json = ClaimsText().Json();
  json.pop_back();
  return VerifiedClaims(absl::StrCat(json, ",", members, "}"), rules);
}

TEST(ClaimPath, EveryClaimIsFoundInNestedObjects) {
  const ClaimNames names = {.roles = "/realm_access/roles",
                            .scopes = "/a/scopes",
                            .scopes_fallback = {},
                            .tenant = "/a/b/tenant",
                            .session = "/a/b/session",
                            .client = "/https:~1~1example.com~1client"};
  const absl::StatusOr<VerifiedJwt> jwt = With(
      names,
      R"("realm_access":{"x":1,"roles":["admin","user"]},"a":{"scopes":"read write",)"
      R"("b":{"tenant":"t-1","session":"s-1"}},"https://example.com/client":"c-1","roles":"no")");
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_THAT(jwt->claims().roles, ElementsAre("admin", "user"));
  EXPECT_THAT(jwt->claims().scopes, ElementsAre("read", "write"));
  EXPECT_EQ(jwt->claims().tenant, "t-1");
  EXPECT_EQ(jwt->claims().session_id, "s-1");
  EXPECT_EQ(jwt->claims().client_id, "c-1");
}

TEST(ClaimPath, ANameWithDotsOrSlashesIsOneClaim) {
  ClaimNames names;
  names.roles = "realm_access.roles";
  names.tenant = "https://example.com/tenant";
  const absl::StatusOr<VerifiedJwt> jwt =
      With(names, R"("realm_access":{"roles":["nested"]},"realm_access.roles":"flat",)"
                  R"("https://example.com/tenant":"t-1")");
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_THAT(jwt->claims().roles, ElementsAre("flat"));
  EXPECT_EQ(jwt->claims().tenant, "t-1");
}

TEST(ClaimPath, ArraysAreNotIndexed) {
  ClaimNames names;
  names.roles = "/groups/0";
  const absl::StatusOr<VerifiedJwt> jwt = With(names, R"("groups":["admin"])");
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_THAT(jwt->claims().roles, IsEmpty());
  EXPECT_THAT(With(names, R"("groups":{"0":"admin"})")->claims().roles, ElementsAre("admin"));
}

constexpr char kNoObjects[][16] = {"1", "true", "\"x\"", "[]", "[{\"v\":\"x\"}]"};

TEST(ClaimPath, APathThatMeetsNoObjectFindsNothing) {
  ClaimNames names = {.roles = "/o/v", .scopes = "/o/v", .session = "/o/v", .client = "/o/v"};
  EXPECT_EQ(With(names, R"("o":{"v":"x"})")->claims().client_id, "x");
  for (const char* value : kNoObjects) {
    const absl::StatusOr<VerifiedJwt> jwt = With(names, absl::StrCat("\"o\":", value));
    ASSERT_TRUE(jwt.ok()) << value << jwt.status();
    EXPECT_THAT(jwt->claims().roles, IsEmpty());
    EXPECT_THAT(jwt->claims().scopes, IsEmpty());
    EXPECT_EQ(jwt->claims().session_id, "");
    EXPECT_EQ(jwt->claims().client_id, "");
  }
}

TEST(ClaimPath, ATenantsPathThatMeetsNoObjectMakesTheTokenInvalid) {
  ClaimNames names;
  names.tenant = "/o/p/v";
  EXPECT_EQ(With(names, R"("o":{"p":{"v":"x"}})")->claims().tenant, "x");
  for (const char* value : kNoObjects) {
    for (const std::string& o : {std::string(value), absl::StrCat("{\"p\":", value, "}")}) {
      const absl::StatusOr<VerifiedJwt> jwt = With(names, absl::StrCat("\"o\":", o));
      EXPECT_THAT(std::string(jwt.status().message()), HasSubstr("claim /o/p/v")) << o;
      EXPECT_THAT(std::string(jwt.status().message()), HasSubstr("no object")) << o;
    }
  }
  for (const char* o : {"null", "{}", R"({"p":null})", R"({"p":{}})", R"({"p":{"v":null}})"}) {
    const absl::StatusOr<VerifiedJwt> jwt = With(names, absl::StrCat("\"o\":", o));
    ASSERT_TRUE(jwt.ok()) << o << jwt.status();
    EXPECT_EQ(jwt->claims().tenant, "");
  }
  for (const char* v : {"1", "[]", "{}", "[\"x\"]", R"("a\u0000")"}) {
    EXPECT_FALSE(With(names, absl::StrCat(R"("o":{"p":{"v":)", v, "}}")).ok()) << v;
  }
}

TEST(ClaimPath, ANestedClaimOfAWrongTypeIsNamedByItsPath) {
  ClaimNames names;
  names.roles = "/o/roles";
  names.session = "/o/sid";
  EXPECT_EQ(With(names, R"("o":{"roles":7})").status().message(),
            "claim /o/roles is neither a string nor an array");
  EXPECT_EQ(With(names, R"("o":{"sid":["sneaky"]})").status().message(),
            "claim /o/sid is not a string");
}

TEST(Scopes, ScpCountsInATokenWithoutScope) {
  const ClaimNames standard;
  const auto scopes = [&](const ClaimNames& names, const std::string& members) {
    const absl::StatusOr<VerifiedJwt> jwt = With(names, members);
    EXPECT_TRUE(jwt.ok()) << jwt.status();
    return jwt.ok() ? jwt->claims().scopes : std::vector<std::string>{"refused"};
  };
  EXPECT_THAT(scopes(standard, R"("scp":["read","write"])"), ElementsAre("read", "write"));
  EXPECT_THAT(scopes(standard, R"("scp":"read write")"), ElementsAre("read", "write"));
  EXPECT_THAT(scopes(standard, R"("scp":["read"],"scope":null)"), ElementsAre("read"));
  EXPECT_THAT(scopes(standard, R"("scp":["read"],"scope":"write")"), ElementsAre("write"));
  EXPECT_THAT(scopes(standard, R"("scp":["read"],"scope":"")"), IsEmpty());
  ClaimNames configured;
  configured.scopes = "permissions";
  configured.scopes_fallback = {};
  EXPECT_THAT(scopes(configured, R"("scp":["read"],"scope":"write")"), IsEmpty());
  EXPECT_THAT(scopes(configured, R"("permissions":["p"])"), ElementsAre("p"));
  EXPECT_EQ(With(standard, R"("scp":7)").status().message(),
            "claim scp is neither a string nor an array");
}

TEST(RequiredClaims, MissingNullAndEmptyAreRefused) {
  IssuerRules rules = Rules();
  rules.required_claims = {"jti", "/realm_access/roles"};
  const auto refusal = [&](const char* jti, const char* access) {
    ClaimsText claims;
    if (jti != nullptr) claims = claims.With("jti", jti);
    if (access != nullptr) claims = claims.With("realm_access", access);
    return RefusalOfClaims(claims.Json(), rules);
  };
  EXPECT_EQ(refusal("\"t-1\"", R"({"roles":[]})"), "");
  EXPECT_EQ(refusal("\"t-1\"", R"({"roles":"admin"})"), "");
  for (const char* jti : {static_cast<const char*>(nullptr), "null", "\"\""}) {
    EXPECT_EQ(refusal(jti, R"({"roles":[]})"),
              "claim jti is missing, and the issuer's required_claims name it");
  }
  for (const char* access : {static_cast<const char*>(nullptr), "null", "1", "[]", "{}",
                             R"({"roles":null})", R"({"roles":""})"}) {
    EXPECT_EQ(refusal("\"t-1\"", access),
              "claim /realm_access/roles is missing, and the issuer's required_claims name it");
  }
}

TEST(Types, OnlyTheIssuersAreAccepted) {
  const TokenMaker& maker = Maker(Algorithm::kEdDsa);
  const Key key = KeyOf(maker);
  const auto accepted = [&](const std::string& typ, const std::vector<TokenType>& types) {
    IssuerRules rules = Rules();
    rules.types = types;
    const std::string header = absl::StrCat(R"({"alg":"EdDSA")", typ, "}");
    VerifyStep step = VerifyStep::kSignature;
    const absl::StatusOr<VerifiedJwt> jwt = JwtVerifier::Verify(
        *UnverifiedJwt::Parse(maker.Sign(header, ClaimsText().Json())), rules, key, &step);
    if (!jwt.ok()) {
      EXPECT_EQ(jwt.status().message(), "header: typ is not one of the issuer's");
      EXPECT_EQ(step, VerifyStep::kClaims);
    }
    return jwt.ok();
  };
  const std::vector<TokenType> jwt_only = {TokenType::kJwt};
  const std::vector<TokenType> access_only = {TokenType::kAccessToken};
  for (const char* typ : {"", R"(,"typ":"JWT")", R"(,"typ":"application/jwt")"}) {
    EXPECT_TRUE(accepted(typ, jwt_only)) << typ;
    EXPECT_FALSE(accepted(typ, access_only)) << typ;
    EXPECT_TRUE(accepted(typ, Rules().types)) << typ;
  }
  for (const char* typ : {R"(,"typ":"at+jwt")", R"(,"typ":"application/AT+JWT")"}) {
    EXPECT_FALSE(accepted(typ, jwt_only)) << typ;
    EXPECT_TRUE(accepted(typ, access_only)) << typ;
    EXPECT_TRUE(accepted(typ, Rules().types)) << typ;
  }
  EXPECT_FALSE(accepted("", {}));
}

}  // namespace
}  // namespace gatehouse::jose
