#include "server/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/config/good.h"

namespace gatehouse::config {
namespace {

using jose::Algorithm;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kLeast[] = R"(issuers:
  - issuer: i
    audiences: [a]
    algorithms: [ES256]
    keys: {jwks_url: https://example.com/jwks}
revocations: {sqlite: {path: gatehouse.db}}
)";

TEST(Config, WhatIsKeptOfRevocationsHasDefaultsAndLimits) {
  const auto least = ParseConfig(kLeast, "/etc/gatehouse/gatehouse.yaml");
  ASSERT_TRUE(least.ok()) << least.status();
  EXPECT_EQ(least->audit, absl::Hours(2160));
  EXPECT_EQ(least->remember_for, absl::Seconds(30));
  EXPECT_FALSE(least->backups.has_value());

  const auto given = [](const std::string& fields) {
    return ParseConfig(absl::StrReplaceAll(kLeast, {{"gatehouse.db}", "gatehouse.db}, " + fields}}),
                       "/etc/gatehouse/gatehouse.yaml");
  };
  const auto most = given("audit: 87600h, remember_for: 1h, backups: copies");
  ASSERT_TRUE(most.ok()) << most.status();
  EXPECT_EQ(most->audit, absl::Hours(87600));
  EXPECT_EQ(most->remember_for, absl::Hours(1));
  EXPECT_EQ(most->backups->path, "/etc/gatehouse/copies");
  EXPECT_THAT(most->backups->place,
              HasSubstr("/etc/gatehouse/gatehouse.yaml:6: revocations.backups"));
  const auto nothing = given("audit: 0s, remember_for: 0s");
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_EQ(nothing->audit, absl::ZeroDuration());
  EXPECT_EQ(nothing->remember_for, absl::ZeroDuration());
}

TEST(Config, EveryFieldIsTakenOver) {
  const auto config = ParseConfig(kGood, "/etc/gatehouse/gatehouse.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->grpc.ToString(), "127.0.0.1:7070");
  EXPECT_EQ(config->http.ToString(), "127.0.0.1:7071");
  EXPECT_EQ(config->sqlite_path, "/etc/gatehouse/gatehouse.db");
  EXPECT_EQ(config->keep, absl::Hours(720));
  ASSERT_EQ(config->issuers.size(), 3U);

  const Issuer& first = config->issuers[0];
  EXPECT_EQ(first.rules.issuer, "http://localhost:3000");
  EXPECT_THAT(first.rules.audiences, ElementsAre("http://localhost:3000"));
  EXPECT_THAT(first.rules.algorithms, ElementsAre(Algorithm::kEdDsa));
  EXPECT_EQ(std::get<KeysUrl>(first.keys).url, "http://localhost:3000/api/auth/jwks");
  EXPECT_EQ(first.rules.claims.roles, "role");
  EXPECT_EQ(first.rules.claims.tenant, "org");
  EXPECT_EQ(first.rules.max_token_lifetime, absl::Hours(1));
  EXPECT_FALSE(first.development_key_file.has_value());

  const Issuer& second = config->issuers[1];
  EXPECT_THAT(second.rules.audiences, ElementsAre("todo", "notes"));
  EXPECT_THAT(second.rules.algorithms,
              ElementsAre(Algorithm::kEdDsa, Algorithm::kEs256, Algorithm::kRs256));
  EXPECT_EQ(std::get<KeysFile>(second.keys).path, "/etc/gatehouse/keys/development.jwks");
  EXPECT_EQ(second.rules.claims.roles, "groups");
  EXPECT_EQ(second.rules.claims.scopes, "scp");
  EXPECT_EQ(second.rules.claims.tenant, "");
  EXPECT_EQ(second.rules.claims.session, "session_state");
  EXPECT_EQ(second.rules.claims.client, "azp");
  EXPECT_EQ(second.rules.max_token_lifetime, absl::Minutes(30));
  EXPECT_EQ(second.rules.skew, absl::ZeroDuration());
  EXPECT_TRUE(second.rules.allow_missing_iat);
  EXPECT_EQ(second.development_key_file, "/etc/gatehouse/keys/development.pem");

  const Issuer& third = config->issuers[2];
  EXPECT_THAT(third.rules.algorithms, ElementsAre(Algorithm::kHs256));
  EXPECT_EQ(std::get<KeysSecret>(third.keys).current.name, "GATEHOUSE_SECRET");
  EXPECT_EQ(third.rules.skew, absl::Seconds(60));
}

TEST(Config, WhatIsLeftOutHasItsDefault) {
  const auto config = ParseConfig(kLeast, "gatehouse.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->grpc.ToString(), "127.0.0.1:7070");
  EXPECT_EQ(config->http.ToString(), "127.0.0.1:7071");
  EXPECT_EQ(config->keep, absl::Hours(720));
  ASSERT_EQ(config->issuers.size(), 1U);
  const jose::IssuerRules& rules = config->issuers[0].rules;
  EXPECT_EQ(rules.max_token_lifetime, absl::Hours(24));
  EXPECT_EQ(rules.skew, absl::Seconds(10));
  EXPECT_FALSE(rules.allow_missing_iat);
  EXPECT_EQ(rules.claims.roles, "roles");
  EXPECT_EQ(rules.claims.scopes, "scope");
  EXPECT_EQ(rules.claims.tenant, "");
  EXPECT_EQ(rules.claims.session, "sid");
  EXPECT_EQ(rules.claims.client, "client_id");
}

TEST(Config, OneEndpointGivenLeavesTheOtherAtItsDefault) {
  const auto config =
      ParseConfig(absl::StrCat("listen: {http: \"[::1]:0\"}\n", kLeast), "gatehouse.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->grpc.ToString(), "127.0.0.1:7070");
  EXPECT_EQ(config->http.host, "::1");
  EXPECT_EQ(config->http.port, 0);
  EXPECT_EQ(config->http.ToString(), "[::1]:0");
}

TEST(Config, BothPortsMayBeLeftToTheKernel) {
  const auto config = ParseConfig(
      absl::StrCat("listen: {grpc: \"localhost:0\", http: \"127.9.9.9:0\"}\n", kLeast), "g.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->grpc.host, "localhost");
  EXPECT_EQ(config->http.host, "127.9.9.9");
}

TEST(Config, RelativePathsBeginAtTheFilesFolder) {
  const std::string yaml = absl::StrReplaceAll(
      kLeast,
      {{"[ES256]", "[HS256]"}, {"jwks_url: https://example.com/jwks", "secret_file: s.key"}});
  const auto path_of = [&](const std::string& name) {
    const auto config = ParseConfig(yaml, name);
    EXPECT_TRUE(config.ok()) << config.status();
    return config.ok() ? absl::StrCat(std::get<KeysSecret>(config->issuers[0].keys).current.name,
                                      " ", config->sqlite_path)
                       : "";
  };
  EXPECT_EQ(path_of("/etc/g/g.yaml"), "/etc/g/s.key /etc/g/gatehouse.db");
  EXPECT_EQ(path_of("conf/g.yaml"), "conf/s.key conf/gatehouse.db");
  EXPECT_EQ(path_of("g.yaml"), "s.key gatehouse.db");
}

TEST(Config, AbsolutePathsStay) {
  const auto config = ParseConfig(
      absl::StrReplaceAll(kLeast, {{"gatehouse.db", "/var/lib/gatehouse.db"}}), "/etc/g.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->sqlite_path, "/var/lib/gatehouse.db");
}

TEST(Config, DurationsMayHaveSeveralUnits) {
  const auto config = ParseConfig(
      absl::StrReplaceAll(kLeast, {{"{path: gatehouse.db}", "{path: g.db}, keep: 48h30m15s"}}),
      "g.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->keep, absl::Hours(48) + absl::Minutes(30) + absl::Seconds(15));
}

TEST(Config, Ed25519IsAnotherNameOfEdDsa) {
  const auto config =
      ParseConfig(absl::StrReplaceAll(kLeast, {{"[ES256]", "[Ed25519]"}}), "g.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->issuers[0].rules.algorithms, ElementsAre(Algorithm::kEdDsa));
}

TEST(Config, WindowsLineEndsAndAByteOrderMarkAreHarmless) {
  const auto config = ParseConfig(
      absl::StrCat("\xEF\xBB\xBF", absl::StrReplaceAll(kGood, {{"\n", "\r\n"}})), "g.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->issuers.size(), 3U);
}

TEST(LoadConfig, AMissingFileIsNotFoundAndNamed) {
  const auto config = LoadConfig("/nonexistent/gatehouse.yaml");
  EXPECT_TRUE(absl::IsNotFound(config.status()));
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("/nonexistent/gatehouse.yaml"));
}

TEST(LoadConfig, AFolderIsRefused) {
  const auto config = LoadConfig(::testing::TempDir());
  EXPECT_TRUE(absl::IsInvalidArgument(config.status()));
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("Is a directory"));
}

TEST(LoadConfig, AFileIsReadAndItsFolderIsWherePathsBegin) {
  std::string folder = ::testing::TempDir() + "gatehouse_config_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/gatehouse.yaml";
  std::ofstream(path) << kLeast;
  const auto config = LoadConfig(path);
  std::ofstream(path) << kLeast << std::string(2 << 20, '#');
  const auto too_large = LoadConfig(path);
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->sqlite_path, folder + "/gatehouse.db");
  EXPECT_TRUE(absl::IsInvalidArgument(too_large.status()));
  EXPECT_THAT(std::string(too_large.status().message()), HasSubstr("larger than"));
}

}  // namespace
}  // namespace gatehouse::config
