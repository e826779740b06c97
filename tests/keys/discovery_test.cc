#include "server/keys/discovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/keys/source_fixture.h"

namespace gatehouse::keys {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kWellKnown[] = "/.well-known/openid-configuration";

std::string Document(const std::string& issuer, const std::string& uri) {
  return absl::StrCat(R"({"issuer":")", issuer, R"(","jwks_uri":")", uri, R"(","x":[1]})");
}

DiscoveryRules Rules() {
  return {.issuer = "https://id.example.com/realm",
          .issuer_url = "https://id.example.com/realm",
          .jwks_hosts = {"keys.example.com"},
          .http_behind_mesh = false};
}

std::string UriOr(const std::string& document, const DiscoveryRules& rules = Rules()) {
  const auto uri = JwksUriOf(document, rules);
  return uri.ok() ? *uri : std::string(uri.status().message());
}
std::string Allowed(const std::string& uri, const DiscoveryRules& rules = Rules()) {
  return UriOr(Document(rules.issuer, uri), rules);
}

TEST(Discovery, TheDocumentIsBelowTheIssuerUrl) {
  EXPECT_EQ(ConfigurationUrl("https://a.example"),
            "https://a.example/.well-known/openid-configuration");
  EXPECT_EQ(ConfigurationUrl("https://a.example/realm/"),
            "https://a.example/realm/.well-known/openid-configuration");
}

TEST(Discovery, AKeySetOnTheIssuersHostOrAListedOneIsTaken) {
  for (const char* uri : {"https://id.example.com/jwks", "https://ID.example.com:8443/jwks?a=b",
                          "https://keys.example.com/jwks"}) {
    EXPECT_EQ(Allowed(uri), uri);
  }
}

TEST(Discovery, AnotherHostIsRefused) {
  for (const char* uri :
       {"https://evil.example/jwks", "https://id.example.com.evil.example/jwks",
        "https://sub.id.example.com/jwks", "https://example.com/jwks", "https://127.0.0.1/jwks"}) {
    EXPECT_THAT(Allowed(uri), HasSubstr("which is not the issuer_url's and not in jwks_hosts"));
  }
}

TEST(Discovery, TheKeySetsUrlHasTheRulesOfAConfiguredOne) {
  EXPECT_THAT(Allowed("http://id.example.com/jwks"), HasSubstr("its jwks_uri must be https"));
  EXPECT_THAT(Allowed("file:///etc/passwd"), HasSubstr("its jwks_uri must begin with https"));
  EXPECT_THAT(Allowed("https://me:hunter2@id.example.com/jwks"),
              AllOf(HasSubstr("must not hold a user name"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(Allowed("https://id.example.com/jwks#a"), HasSubstr("must not hold a fragment"));
  EXPECT_THAT(Allowed("/jwks"), HasSubstr("its jwks_uri"));
  EXPECT_THAT(Allowed("https://id.example.com/" + std::string(2048, 'x')),
              HasSubstr("longer than 2048 bytes"));
  DiscoveryRules mesh = Rules();
  mesh.http_behind_mesh = true;
  EXPECT_EQ(Allowed("http://id.example.com/jwks", mesh), "http://id.example.com/jwks");
}

TEST(Discovery, TheIssuerIsTheConfiguredOneByteByByte) {
  for (const char* issuer : {"https://id.example.com/realm/", "https://ID.example.com/realm",
                             "https://id.example.com", "", "https://id.example.com/realm "}) {
    EXPECT_THAT(UriOr(Document(issuer, "https://id.example.com/jwks")),
                StartsWith("its issuer is \""));
  }
}

TEST(Discovery, ADocumentThatIsNoneSaysWhatIsMissing) {
  EXPECT_THAT(UriOr("<html>"), HasSubstr("is no discovery document"));
  EXPECT_THAT(UriOr("[]"), HasSubstr("is no discovery document"));
  EXPECT_THAT(UriOr("{}"), HasSubstr("its issuer is missing"));
  EXPECT_THAT(UriOr(R"({"issuer":["https://id.example.com/realm"]})"),
              HasSubstr("its issuer is missing or no string"));
  EXPECT_THAT(UriOr(R"({"issuer":"https://id.example.com/realm","jwks_uri":null})"),
              HasSubstr("its jwks_uri is missing or no string"));
}

class DiscoverySourceTest : public SourceTest {
 protected:
  JwksUrlOptions OptionsOf(const JwksServer& server) const {
    JwksUrlOptions options = OptionsFor(server);
    options.url = server.Url("/realm");
    options.discovery = {.issuer = "me", .issuer_url = options.url};
    return options;
  }
  static constexpr char kPath[] = "/realm/.well-known/openid-configuration";
};

TEST_F(DiscoverySourceTest, TheKeysAreWhereTheDocumentSaysAndItIsReadAtEachRefresh) {
  JwksServer server({.status = 404});
  server.SetReply(kPath, {.body = Document("me", server.Url("/one")), .etag = "\"d1\""});
  server.SetReply("/one", {.body = a_.Jwks()});
  server.SetReply("/two", {.body = b_.Jwks()});
  const auto source = Started(OptionsOf(server));
  EXPECT_NE(KeyOf(*source, a_), nullptr);
  Pass(absl::Minutes(5));
  EXPECT_EQ(server.RequestsFor(kPath), 2);
  EXPECT_EQ(server.RequestsFor("/one"), 2);
  EXPECT_EQ(server.NotModified(), 1);
  server.SetReply(kPath, {.body = Document("me", server.Url("/two"))});
  ASSERT_TRUE(Refetch(*source));
  EXPECT_NE(KeyOf(*source, b_), nullptr);
}

TEST_F(DiscoverySourceTest, ADocumentThatIsOfNoUseIsAFailedFetchWithItsReason) {
  JwksServer server({.status = 404});
  server.SetReply(kPath, {.body = Document("me", server.Url("/jwks"))});
  server.SetReply("/jwks", {.body = a_.Jwks()});
  const auto source = Started(OptionsOf(server));
  const auto key = KeyOf(*source, a_);
  ASSERT_NE(key, nullptr);
  const JwksServer evil({.body = b_.Jwks()});
  const std::pair<Reply, std::string> faults[] = {
      {{.body = Document("you", server.Url("/jwks"))}, "its issuer is \"you\""},
      {{.body = Document("me", "https://evil.example/jwks")}, "not in jwks_hosts"},
      {{.body = "<html>"}, "is no discovery document"},
      {{.status = 302, .headers = absl::StrCat("Location: ", evil.Url(kWellKnown), "\r\n")},
       "a redirect"},
      {{.body = Document("me", server.Url("/gone"))}, "/gone: answered HTTP 404"}};
  for (const auto& [reply, error] : faults) {
    server.SetReply(kPath, reply);
    EXPECT_FALSE(Refetch(*source));
    EXPECT_THAT(source->State().last_error, AllOf(StartsWith(server.Url("/")), HasSubstr(error)));
    EXPECT_EQ(KeyOf(*source, a_), key);
  }
  EXPECT_EQ(evil.Requests(), 0);
  server.SetReply(kPath, {.body = Document("me", server.Url("/jwks"))});
  EXPECT_TRUE(Refetch(*source));
}

}  // namespace
}  // namespace gatehouse::keys
