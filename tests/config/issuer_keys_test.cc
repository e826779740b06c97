#include "server/config/issuer_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace gatehouse::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

absl::StatusOr<Config> With(const std::string& keys, const std::string& algorithms = "[ES256]") {
  return ParseConfig(
      absl::StrCat("issuers:\n  - issuer: i\n    audiences: [a]\n    algorithms: ", algorithms,
                   "\n    keys: ", keys, "\nrevocations: {sqlite: {path: g.db}}\n"),
      "/etc/g/g.yaml");
}

std::string ErrorOf(const std::string& keys, const std::string& algorithms = "[ES256]") {
  const auto config = With(keys, algorithms);
  return config.ok() ? "was accepted" : std::string(config.status().message());
}

template <typename T>
T KeysOf(const std::string& keys, const std::string& algorithms = "[ES256]") {
  const auto config = With(keys, algorithms);
  if (!config.ok()) {
    ADD_FAILURE() << config.status();
    return {};
  }
  return std::get<T>(config->issuers[0].keys);
}

TEST(IssuerKeys, DiscoveryWithEveryField) {
  const auto keys = KeysOf<KeysUrl>(
      "{issuer_url: \"https://id.example.com/realm\", jwks_hosts: [keys.example.com, "
      "cdn.example.com], http_behind_mesh: true, ca_file: ca.pem, max_age: 2h, grace: 90s}");
  EXPECT_TRUE(keys.discover);
  EXPECT_EQ(keys.url, "https://id.example.com/realm");
  EXPECT_THAT(keys.jwks_hosts, ElementsAre("keys.example.com", "cdn.example.com"));
  EXPECT_TRUE(keys.http_behind_mesh);
  EXPECT_EQ(keys.ca_file, "/etc/g/ca.pem");
  EXPECT_EQ(keys.ca_file_place, "/etc/g/g.yaml:5: issuers[0].keys.ca_file");
  EXPECT_EQ(keys.max_age, absl::Hours(2));
  EXPECT_EQ(keys.grace, absl::Seconds(90));
}

TEST(IssuerKeys, WhatIsNotGivenHasItsDefault) {
  const auto keys = KeysOf<KeysUrl>("{jwks_url: \"https://example.com/jwks\"}");
  EXPECT_FALSE(keys.discover);
  EXPECT_FALSE(keys.http_behind_mesh);
  EXPECT_FALSE(keys.ca_file.has_value());
  EXPECT_EQ(keys.max_age, absl::Hours(24));
  EXPECT_EQ(keys.grace, absl::Minutes(1));
  EXPECT_EQ(KeysOf<KeysFile>("{jwks_file: k}").grace, absl::Minutes(1));
  EXPECT_EQ(KeysOf<KeysFile>("{jwks_file: k, grace: 0s}").grace, absl::ZeroDuration());
}

TEST(IssuerKeys, ASecretAndTheOneBeforeEachWithItsPlace) {
  const auto files = KeysOf<KeysSecret>("{secret_file: new, previous_secret_file: old}", "[HS256]");
  EXPECT_EQ(files.current.name, "/etc/g/new");
  EXPECT_EQ(files.current.place, "/etc/g/g.yaml:5: issuers[0].keys.secret_file");
  ASSERT_TRUE(files.previous.has_value());
  EXPECT_EQ(files.previous->name, "/etc/g/old");
  EXPECT_EQ(files.previous->place, "/etc/g/g.yaml:5: issuers[0].keys.previous_secret_file");
  const auto env = KeysOf<KeysSecret>("{secret_env: NEW, previous_secret_env: OLD}", "[HS256]");
  EXPECT_EQ(env.current.name, "NEW");
  ASSERT_TRUE(env.previous.has_value());
  EXPECT_EQ(env.previous->kind, SecretPlace::Kind::kEnv);
  EXPECT_EQ(env.previous->name, "OLD");
}

TEST(IssuerKeys, HttpNeedsLoopbackOrTheWordThatAMeshEncryptsIt) {
  EXPECT_THAT(ErrorOf("{jwks_url: \"http://id.example.com/jwks\"}"),
              HasSubstr("keys.jwks_url: must be https, since"));
  EXPECT_THAT(ErrorOf("{issuer_url: \"http://id.example.com\", http_behind_mesh: false}"),
              HasSubstr("keys.issuer_url: must be https, since"));
  EXPECT_EQ(ErrorOf("{jwks_url: \"http://id.example.com/jwks\", http_behind_mesh: true}"),
            "was accepted");
  EXPECT_EQ(ErrorOf("{issuer_url: \"http://localhost:3000\"}"), "was accepted");
}

TEST(IssuerKeys, AFieldThatWouldDoNothingIsRefused) {
  const std::pair<std::string, std::string> cases[] = {
      {"jwks_file: k, max_age: 1h", "max_age: stands only beside jwks_url or issuer_url"},
      {"jwks_file: k, ca_file: c", "ca_file: stands only beside jwks_url or issuer_url"},
      {"jwks_file: k, http_behind_mesh: true", "http_behind_mesh: stands only beside"},
      {"jwks_url: \"https://a.example/j\", jwks_hosts: [h]",
       "jwks_hosts: stands only beside issuer_url"},
      {"secret_env: A, previous_secret_file: b",
       "previous_secret_file: stands only beside secret_file"},
      {"secret_file: a, previous_secret_env: B",
       "previous_secret_env: stands only beside secret_env"},
      {"secret_env: A, grace: 1m", "grace: stands only beside jwks_url, issuer_url or jwks_file"},
      {"jwks_url: \"http://localhost/j\", ca_file: c", "ca_file: needs https in jwks_url"},
  };
  for (const auto& [keys, message] : cases) {
    const bool secret = keys.find("secret_") == 0;
    EXPECT_THAT(ErrorOf(absl::StrCat("{", keys, "}"), secret ? "[HS256]" : "[ES256]"),
                StartsWith(absl::StrCat("/etc/g/g.yaml:5: issuers[0].keys.", message)));
  }
}

TEST(IssuerKeys, TimesHaveTheirLimits) {
  const auto url = [](const std::string& more) {
    return absl::StrCat("{jwks_url: \"https://a.example/j\", ", more, "}");
  };
  EXPECT_EQ(ErrorOf(url("max_age: 24h")), "was accepted");
  EXPECT_EQ(ErrorOf(url("max_age: 1m")), "was accepted");
  EXPECT_EQ(ErrorOf(url("grace: 1h")), "was accepted");
  EXPECT_THAT(ErrorOf(url("max_age: 86401s")), HasSubstr("max_age: must be 1m at least and 24h"));
  EXPECT_THAT(ErrorOf(url("max_age: 59s")), HasSubstr("max_age: must be 1m at least and 24h"));
  EXPECT_THAT(ErrorOf(url("grace: 3601s")), HasSubstr("grace: must be 1h at most, but is 1h1s"));
}

TEST(IssuerKeys, AJwksHostIsAHostAlone) {
  for (const char* bad : {"https://keys.example.com", "keys.example.com:8443",
                          "keys.example.com/jwks", "me@keys.example.com", ""}) {
    EXPECT_THAT(ErrorOf(absl::StrCat("{issuer_url: \"https://a.example\", jwks_hosts: [b, \"", bad,
                                     "\"]}")),
                HasSubstr("keys.jwks_hosts[1]: must be a host's name alone"))
        << bad;
  }
}

TEST(IssuerKeys, AnIssuerUrlHasNoQuery) {
  EXPECT_THAT(ErrorOf("{issuer_url: \"https://a.example/?a=b\"}"),
              HasSubstr("keys.issuer_url: must not hold a query"));
  EXPECT_THAT(ErrorOf("{issuer_url: \"https://a.example/.well-known/openid-configuration\"}"),
              HasSubstr("keys.issuer_url: must not end with /.well-known/openid-configuration"));
}

TEST(IssuerKeys, TheSecretBeforeIsAnotherPlace) {
  EXPECT_THAT(ErrorOf("{secret_env: A, previous_secret_env: A}", "[HS256]"),
              HasSubstr("previous_secret_env: must not be the same as secret_env"));
  EXPECT_THAT(ErrorOf("{secret_file: a, previous_secret_file: a}", "[HS256]"),
              HasSubstr("previous_secret_file: must not be the same as secret_file"));
}

TEST(IssuerKeys, ASecretAndAKeyPairDoNotMix) {
  EXPECT_THAT(ErrorOf("{secret_env: A}", "[HS256, ES256]"),
              HasSubstr("algorithms: must be HS256, HS384 or HS512 alone"));
  EXPECT_THAT(ErrorOf("{issuer_url: \"https://a.example\"}", "[ES256, HS256]"),
              HasSubstr("algorithms: HS256 needs keys.secret_env or keys.secret_file"));
}

}  // namespace
}  // namespace gatehouse::config
