#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "server/jose/jwks.h"
#include "server/jose/jwt_verifier.h"
#include "tests/cli/child.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kDevelopment[] = R"(
  - issuer: https://dev.example.com
    may_assert: {roles: any, scopes: any, tenants: any}
    audiences: [api, other]
    algorithms: [EdDSA]
    keys: {jwks_file: jwks.json}
    claims: {roles: groups, tenant: org, session: sess}
    max_token_lifetime: 1h
    development: {private_key_file: dev-key.pem}
)";
constexpr char kSecondDevelopment[] = R"(
  - issuer: https://second.example.com
    may_assert: {roles: any, scopes: any, tenants: any}
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_file: second.json}
    development: {private_key_file: second.pem}
)";
constexpr char kProduction[] = R"(
  - issuer: https://login.example.com
    may_assert: {roles: any, scopes: any, tenants: any}
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_file: jwks.json}
)";

class DevTokenTest : public ::testing::Test {
 protected:
  DevTokenTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    Configure(kDevelopment);
  }
  ~DevTokenTest() override { std::filesystem::remove_all(folder_); }

  void Configure(const std::string& issuers) {
    std::ofstream(folder_ / "gatehouse.yaml", std::ios::trunc)
        << "issuers:" << issuers << "revocations: {sqlite: {path: gatehouse.db}}\n";
  }

  Result Run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(),
                     {"dev-token", "--config", (folder_ / "gatehouse.yaml").string()});
    return RunChild({.arguments = arguments});
  }

  std::string Content(const std::string& name) const {
    std::stringstream content;
    content << std::ifstream(folder_ / name).rdbuf();
    return content.str();
  }

  // Verifies as a server with this configuration does.
  absl::StatusOr<jose::VerifiedJwt> Verify(std::string token) const {
    if (!token.empty() && token.back() == '\n') token.pop_back();
    const auto keys = jose::ParseJwks(Content("jwks.json"));
    if (!keys.ok()) return keys.status();
    jose::IssuerRules rules;
    rules.issuer = "https://dev.example.com";
    rules.audiences = {"api", "other"};
    rules.algorithms = {jose::Algorithm::kEdDsa};
    rules.claims.roles = "groups";
    rules.claims.tenant = "org";
    rules.claims.session = "sess";
    auto jwt = jose::UnverifiedJwt::Parse(token);
    if (!jwt.ok()) return jwt.status();
    const auto key = keys->keys.Find(jwt->kid().value_or(""), jwt->algorithm());
    if (key == nullptr) return absl::NotFoundError("no such key");
    return jose::JwtVerifier::Verify(*std::move(jwt), rules, key);
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / "gatehouse-dev-token";
};

TEST_F(DevTokenTest, TokenStandsAloneOnStandardOutputAndVerifies) {
  ASSERT_EQ(Run({"--create-key"}).code, 0);
  const Result result = Run({"--subject", "ada"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, MatchesRegex("[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\n"));
  EXPECT_THAT(result.err, IsEmpty());
  const auto jwt = Verify(result.out);
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_EQ(jwt->claims().subject, "ada");
  EXPECT_THAT(jwt->claims().audiences, ElementsAre("api"));
  EXPECT_EQ(jwt->claims().expire_time - *jwt->claims().issue_time, absl::Minutes(15));
}

TEST_F(DevTokenTest, AKeyIsMadeBeforeTheRestOfTheConfigurationIsRight) {
  std::ofstream(folder_ / "gatehouse.yaml", std::ios::app) << "policy: {roles: [wrong]}\n";
  EXPECT_EQ(Run({"--create-key"}).code, 0);
  EXPECT_FALSE(Content("dev-key.pem").empty());
  EXPECT_THAT(Run({"--subject", "ada"}).err, HasSubstr("policy.roles"));
  Configure("\n  - {issuer: 7, colour: red}\n");
  EXPECT_THAT(Run({"--create-key"}).err, HasSubstr("issuers[0].colour"));
}

TEST_F(DevTokenTest, ClaimsStandUnderTheIssuersNames) {
  ASSERT_EQ(Run({"--create-key"}).code, 0);
  const Result result = Run({"--subject", "ada \"x\\", "--audience", "other", "--lifetime", "30m",
                             "--session", "s1", "--token-id", "t1", "--tenant", "acme", "--role",
                             "admin", "--role", "a,b", "--claim", "email=\"ada@example.com\""});
  const auto jwt = Verify(result.out);
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  const jose::Claims& claims = jwt->claims();
  EXPECT_EQ(claims.subject, "ada \"x\\");
  EXPECT_THAT(claims.audiences, ElementsAre("other"));
  EXPECT_EQ(claims.expire_time - *claims.issue_time, absl::Minutes(30));
  EXPECT_EQ(claims.session_id, "s1");
  EXPECT_EQ(claims.token_id, "t1");
  EXPECT_EQ(claims.tenant, "acme");
  EXPECT_THAT(claims.roles, ElementsAre("admin", "a,b"));
  EXPECT_EQ(claims.email, "ada@example.com");
}

TEST_F(DevTokenTest, ClaimReplacesWhatWouldBeSet) {
  ASSERT_EQ(Run({"--create-key"}).code, 0);
  const auto jwt = Verify(Run({"--subject", "ada", "--claim", "iat=1", "--claim", "exp=2"}).out);
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_EQ(jwt->claims().expire_time, absl::FromUnixSeconds(2));
}

TEST_F(DevTokenTest, TokensOfOneSecondDiffer) {
  ASSERT_EQ(Run({"--create-key"}).code, 0);
  EXPECT_NE(Run({"--subject", "ada", "--claim", "iat=1"}).out,
            Run({"--subject", "ada", "--claim", "iat=1"}).out);
}

TEST_F(DevTokenTest, ClaimThatIsNoJsonIsRefused) {
  ASSERT_EQ(Run({"--create-key"}).code, 0);
  for (const char* const claim : {"level", "=3", "level=", "level=high", "level={", "level=1 2"}) {
    const Result result = Run({"--subject", "ada", "--claim", claim});
    EXPECT_EQ(result.code, 2) << claim;
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err, HasSubstr("--claim"));
  }
}

TEST_F(DevTokenTest, IssuerThatIsNotMarkedIsRefused) {
  Configure(std::string(kProduction) + kDevelopment);
  ASSERT_EQ(Run({"--create-key"}).code, 0);
  for (const auto& more : {std::vector<std::string>{"--subject", "ada"}, {"--create-key"}}) {
    std::vector<std::string> arguments = {"--issuer", "https://login.example.com"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Result result = Run(arguments);
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err, AllOf(HasSubstr("https://login.example.com is not marked"),
                                  HasSubstr("development: {private_key_file:"),
                                  HasSubstr("Never do so for an issuer of production")));
  }
}

TEST_F(DevTokenTest, OnlyIssuerOfProductionIsRefusedWithoutIssuerToo) {
  Configure(kProduction);
  const Result result = Run({"--subject", "ada"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("https://login.example.com is not marked"));
}

TEST_F(DevTokenTest, IssuerMayBeLeftOutOnlyWhenOneIsMarked) {
  Configure(std::string(kDevelopment) + kSecondDevelopment);
  ASSERT_EQ(Run({"--create-key", "--issuer", "https://dev.example.com"}).code, 0);
  const Result two = Run({"--subject", "ada"});
  EXPECT_EQ(two.code, 2);
  EXPECT_THAT(two.err, HasSubstr("more than one issuer is marked"));
  EXPECT_EQ(Run({"--subject", "ada", "--issuer", "https://dev.example.com"}).code, 0);
  Configure(std::string(kProduction) + kDevelopment);
  EXPECT_EQ(Run({"--subject", "ada"}).code, 0);
  const Result unknown = Run({"--subject", "ada", "--issuer", "https://nobody.example.com"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("no issuer https://nobody.example.com"));
}

TEST_F(DevTokenTest, CreatedPrivateKeyIsForItsOwnerAlone) {
  const Result result = Run({"--create-key"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, IsEmpty());
  struct stat key;
  ASSERT_EQ(stat((folder_ / "dev-key.pem").c_str(), &key), 0);
  EXPECT_EQ(key.st_mode & 0777, 0600U);
  EXPECT_THAT(Content("dev-key.pem"), StartsWith("-----BEGIN PRIVATE KEY-----"));
  EXPECT_THAT(Content("jwks.json"), Not(HasSubstr("\"d\"")));
}

TEST_F(DevTokenTest, CreateKeyNeverOverwrites) {
  for (const char* const name : {"dev-key.pem", "jwks.json"}) {
    std::filesystem::remove(folder_ / "dev-key.pem");
    std::filesystem::remove(folder_ / "jwks.json");
    std::ofstream(folder_ / name) << "mine";
    const Result result = Run({"--create-key", "--subject", "ada"});
    EXPECT_EQ(result.code, 2) << name;
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err, HasSubstr("is there already, and nothing was changed"));
    EXPECT_EQ(Content(name), "mine");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 2) << name;
  }
}

TEST_F(DevTokenTest, MissingOrUnusableKeyIsNamed) {
  const Result missing = Run({"--subject", "ada"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, AllOf(HasSubstr("dev-key.pem"), HasSubstr("--create-key")));
  std::ofstream(folder_ / "dev-key.pem") << "secret nonsense";
  const Result unusable = Run({"--subject", "ada"});
  EXPECT_EQ(unusable.code, 2);
  EXPECT_THAT(unusable.err, AllOf(HasSubstr("dev-key.pem: not an Ed25519 private key"),
                                  Not(HasSubstr("nonsense"))));
}

TEST_F(DevTokenTest, KeyFileThatIsTooLongIsRefusedAndNotCut) {
  ASSERT_EQ(Run({"--create-key"}).code, 0);
  std::ofstream(folder_ / "dev-key.pem", std::ios::app) << std::string(64 * 1024, '\n');
  const Result result = Run({"--subject", "ada"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("dev-key.pem: is larger than 65536 bytes"));
}

TEST_F(DevTokenTest, MissingOrWrongConfigurationIsExitCode2) {
  const Result missing =
      RunChild({.arguments = {"dev-token", "--config", "/nowhere.yaml", "--subject", "ada"}});
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, HasSubstr("/nowhere.yaml"));
  Configure("\n  - issuer: 7\n    nonsense: true\n");
  EXPECT_EQ(Run({"--subject", "ada"}).code, 2);
}

TEST_F(DevTokenTest, SubjectIsNeeded) {
  const Result result = Run({});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--subject is needed"));
}

TEST_F(DevTokenTest, WhatTheServerWillRefuseIsNoted) {
  ASSERT_EQ(Run({"--create-key"}).code, 0);
  EXPECT_THAT(Run({"--subject", "ada", "--lifetime", "2h"}).err, HasSubstr("max_token_lifetime"));
  EXPECT_THAT(Run({"--subject", "ada", "--audience", "nobody"}).err, HasSubstr("audiences"));
}

}  // namespace
}  // namespace gatehouse::cli
