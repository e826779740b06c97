#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/config/config.h"
#include "server/config/issuer.h"

namespace gatehouse::config {
namespace {

using jose::Algorithm;
using jose::TokenType;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// With one more line in the issuer, which is the file's sixth.
absl::StatusOr<Config> WithLine(absl::string_view line) {
  return ParseConfig(absl::StrCat(R"(issuers:
  - issuer: i
    audiences: [a]
    algorithms: [ES256]
    keys: {jwks_url: https://example.com/jwks}
    )",
                                  line, "\nrevocations: {sqlite: {path: g.db}}\n"),
                     "g.yaml");
}

jose::IssuerRules RulesWith(absl::string_view line) {
  const absl::StatusOr<Config> config = WithLine(line);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? config->issuers[0].rules : jose::IssuerRules();
}

std::string MessageOf(absl::string_view line) {
  return std::string(WithLine(line).status().message());
}

TEST(IssuerAlgorithms, AllOfTheTableAreKnown) {
  std::vector<Algorithm> expected;
  std::string names;
  for (const Algorithm algorithm : jose::Algorithms()) {
    if (jose::IsSymmetric(algorithm)) continue;
    expected.push_back(algorithm);
    absl::StrAppend(&names, names.empty() ? "" : ", ", jose::NameOf(algorithm));
  }
  const auto config = ParseConfig(
      absl::StrCat("issuers:\n  - issuer: i\n    audiences: [a]\n", "    algorithms: [", names,
                   "]\n", "    keys: {jwks_file: k}\n", "revocations: {sqlite: {path: g.db}}\n"),
      "g.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->issuers[0].rules.algorithms, expected);
}

TEST(IssuerAlgorithms, AnUnknownOneIsToldAllThatAreKnown) {
  const auto config = ParseConfig(
      "issuers:\n  - issuer: i\n    audiences: [a]\n    algorithms: [rs256]\n"
      "    keys: {jwks_file: k}\nrevocations: {sqlite: {path: g.db}}\n",
      "g.yaml");
  EXPECT_EQ(config.status().message(),
            "g.yaml:4: issuers[0].algorithms[0]: unknown algorithm \"rs256\"; known are EdDSA, "
            "ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384, PS512, HS256, HS384, HS512");
}

TEST(IssuerClaims, PathsAreTakenApartOnce) {
  const jose::ClaimNames claims =
      RulesWith("claims: {roles: /realm_access/roles, tenant: \"/a~1b/c\", client: a.b}").claims;
  EXPECT_THAT(claims.roles.segments(), ElementsAre("realm_access", "roles"));
  EXPECT_THAT(claims.tenant.segments(), ElementsAre("a/b", "c"));
  EXPECT_THAT(claims.client.segments(), ElementsAre("a.b"));
}

TEST(IssuerClaims, ScpIsReadUnlessScopesIsConfigured) {
  EXPECT_EQ(RulesWith("claims: {roles: r}").claims.scopes_fallback, "scp");
  EXPECT_EQ(RulesWith("claims: {scopes: scope}").claims.scopes_fallback, "");
  EXPECT_EQ(RulesWith("claims: {scopes: scope}").claims.scopes, "scope");
}

TEST(IssuerClaims, AMalformedPointerIsRefusedWithLineAndField) {
  for (const char* field : {"roles", "scopes", "tenant", "session", "client"}) {
    EXPECT_EQ(MessageOf(absl::StrCat("claims: {", field, ": /a~2b}")),
              absl::StrCat("g.yaml:6: issuers[0].claims.", field,
                           ": begins with / and so is a JSON Pointer, in which ~ must be followed "
                           "by 0 (for ~) or 1 (for /)"));
  }
}

TEST(IssuerClaims, AnEmptyNameIsRefusedButForTheTenant) {
  EXPECT_EQ(MessageOf("claims: {roles: \"\"}"),
            "g.yaml:6: issuers[0].claims.roles: must not be empty; leave it out for \"roles\"");
  EXPECT_TRUE(RulesWith("claims: {tenant: \"\"}").claims.tenant.empty());
}

TEST(IssuerClaims, ADottedNameLooksLikeAPath) {
  EXPECT_TRUE(LooksLikeDottedPath("realm_access.roles"));
  for (const char* name :
       {"roles", "/realm_access/roles", "https://example.com/roles", "/a.b", ""}) {
    EXPECT_FALSE(LooksLikeDottedPath(name)) << name;
  }
}

TEST(RequiredClaims, AreNamesOrPaths) {
  EXPECT_THAT(RulesWith("skew: 1s").required_claims, IsEmpty());
  const auto required = RulesWith("required_claims: [jti, /a/b]").required_claims;
  ASSERT_EQ(required.size(), 2U);
  EXPECT_EQ(required[0], "jti");
  EXPECT_THAT(required[1].segments(), ElementsAre("a", "b"));
}

TEST(RequiredClaims, WrongOnesAreRefusedWithLineAndField) {
  EXPECT_EQ(MessageOf("required_claims: [jti, \"\"]"),
            "g.yaml:6: issuers[0].required_claims[1]: must not be empty");
  EXPECT_EQ(MessageOf("required_claims: [jti, sid, jti]"),
            "g.yaml:6: issuers[0].required_claims[2]: \"jti\" is listed twice");
  EXPECT_EQ(MessageOf("required_claims: [/~]"),
            "g.yaml:6: issuers[0].required_claims[0]: begins with / and so is a JSON Pointer, in "
            "which ~ must be followed by 0 (for ~) or 1 (for /)");
}

TEST(Types, AreBothUnlessGiven) {
  EXPECT_THAT(RulesWith("skew: 1s").types, ElementsAre(TokenType::kJwt, TokenType::kAccessToken));
  EXPECT_THAT(RulesWith("types: [at+jwt]").types, ElementsAre(TokenType::kAccessToken));
  EXPECT_THAT(RulesWith("types: [at+jwt, JWT]").types,
              ElementsAre(TokenType::kAccessToken, TokenType::kJwt));
}

TEST(Types, WrongOnesAreRefusedWithLineAndField) {
  EXPECT_EQ(MessageOf("types: [JWS]"),
            "g.yaml:6: issuers[0].types[0]: must be JWT or at+jwt, not \"JWS\"");
  EXPECT_EQ(MessageOf("types: [JWT, JWT]"), "g.yaml:6: issuers[0].types[1]: JWT is listed twice");
  EXPECT_EQ(MessageOf("types: []"),
            "g.yaml:6: issuers[0].types: must not be empty; leave it out for [JWT, at+jwt]");
}

}  // namespace
}  // namespace gatehouse::config
