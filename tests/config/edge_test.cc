#include "server/config/edge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/config/config.h"
#include "server/config/origin.h"

namespace gatehouse::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::StartsWith;

// Lines 1 to 6; what a test adds begins on line 7.
constexpr char kRest[] = R"(issuers:
  - issuer: i
    audiences: [todo]
    algorithms: [ES256]
    keys: {jwks_url: https://example.com/jwks}
revocations: {sqlite: {path: gatehouse.db}}
)";

absl::StatusOr<Config> Parse(const std::string& more) {
  return ParseConfig(absl::StrCat(kRest, more), "/etc/g.yaml");
}
std::vector<std::string> Warnings(const std::string& more) {
  const auto config = Parse(more);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? config->warnings : std::vector<std::string>();
}

TEST(EdgeConfig, WithoutItTheDefaultsHold) {
  const auto config = Parse("");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->edge, edge::Settings());
  const auto empty = Parse("edge: {}\n");
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ(empty->edge, edge::Settings());
}

TEST(EdgeConfig, EveryFieldIsTakenOver) {
  const auto config = Parse(R"(edge:
  cookie: __Host-token
  origins: ["https://app.example.com", "http://localhost:3000", "https://[2001:db8::1]:8443"]
  identity_headers: {subject: x-user, roles: none, tenant: x-org, issuer: x-iss, scopes: x-scp, email: x-mail}
  strip_token: true
  security_headers: {content_security_policy: "default-src 'none'", referrer_policy: none}
  realm: my realm
)");
  ASSERT_TRUE(config.ok()) << config.status();
  const edge::Settings& edge = config->edge;
  EXPECT_EQ(edge.cookie, "__Host-token");
  EXPECT_THAT(edge.origins, ElementsAre("https://app.example.com", "http://localhost:3000",
                                        "https://[2001:db8::1]:8443"));
  EXPECT_EQ(edge.identity, (edge::IdentityHeaders{.subject = "x-user",
                                                  .roles = "",
                                                  .tenant = "x-org",
                                                  .issuer = "x-iss",
                                                  .scopes = "x-scp",
                                                  .email = "x-mail"}));
  EXPECT_TRUE(edge.strip_token);
  EXPECT_THAT(
      edge.security_headers,
      ElementsAre(Pair("strict-transport-security", "max-age=31536000; includeSubDomains"),
                  Pair("x-content-type-options", "nosniff"), Pair("x-frame-options", "DENY"),
                  Pair("content-security-policy", "default-src 'none'")));
  EXPECT_EQ(edge.realm, "my realm");
  EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("edge.identity_headers.email: is what the")));
}

TEST(EdgeConfig, WithSeveralIssuersServicesAreToldWhoseSubjectItIs) {
  const auto read = [](const std::string& edge) {
    const std::string issuer =
        "audiences: [a], algorithms: [EdDSA], keys: {jwks_file: k.json}, may_assert: {roles: any, "
        "scopes: any, tenants: any}}\n";
    return ParseConfig(
               absl::StrCat("issuers:\n  - {issuer: https://a.example, ", issuer,
                            "  - {issuer: https://b.example, ", issuer,
                            "revocations: {sqlite: {path: g.db}}\n",
                            "routes: [{methods: any, path: /, authenticated: true}]\n", edge),
               "/etc/g.yaml")
        .status();
  };
  EXPECT_THAT(std::string(read("").message()), HasSubstr("edge.identity_headers.issuer: is "));
  EXPECT_TRUE(read("edge: {identity_headers: {issuer: x-auth-issuer}}\n").ok());
  EXPECT_TRUE(read("edge: {identity_headers: {subject: none}}\n").ok());
}

TEST(EdgeConfig, EmptySecurityHeadersAreAllOfThem) {
  const auto config = Parse("edge: {security_headers: {}}\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->edge.security_headers.size(), 5U);
}

struct Case {
  const char* name;
  std::string fields;
  std::string message;  // behind "/etc/g.yaml:7: edge."
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class BadEdge : public ::testing::TestWithParam<Case> {};

TEST_P(BadEdge, IsRefusedWithLineAndField) {
  const auto config = Parse(absl::StrCat("edge: {", GetParam().fields, "}\n"));
  ASSERT_FALSE(config.ok());
  EXPECT_THAT(absl::StrSplit(config.status().message(), '\n'),
              ElementsAre(StartsWith("/etc/g.yaml:7: edge." + GetParam().message)));
}

const Case kCases[] = {
    {"EmptyCookie", "cookie: ''", "cookie: must not be empty"},
    {"CookieWithASpace", "cookie: a b", "cookie: is no cookie's name"},
    {"CookieWithASemicolon", "cookie: 'a;b'", "cookie: is no cookie's name"},
    {"CookieWithAnEqualsSign", "cookie: a=b", "cookie: is no cookie's name"},
    {"EmptyOrigins", "origins: []", "origins: is empty"},
    {"NullOrigin", "origins: ['null']", "origins[0]: \"null\" is the origin of pages that anybody"},
    {"DoubledOrigin", "origins: ['https://a', 'https://a']", "origins[1]: is listed twice"},
    {"HeaderInUpperCase", "identity_headers: {subject: X-User}",
     "identity_headers.subject: \"X-User\" must be in lower case"},
    {"HeaderWithUnderscore", "identity_headers: {roles: x_roles}",
     "identity_headers.roles: \"x_roles\" has a '_', and proxies drop such headers"},
    {"PseudoHeader", "identity_headers: {roles: ':path'}",
     "identity_headers.roles: \":path\" is no header's name"},
    {"EmptyHeader", "identity_headers: {email: ''}",
     "identity_headers.email: \"\" is no header's name"},
    {"HeaderOfTheToken", "identity_headers: {email: authorization}",
     "identity_headers.email: \"authorization\" means something else"},
    {"HeaderOfProxies", "identity_headers: {issuer: x-forwarded-user}",
     "identity_headers.issuer: \"x-forwarded-user\" means something else"},
    {"HopByHopHeader", "identity_headers: {issuer: connection}",
     "identity_headers.issuer: \"connection\" means something else"},
    {"HeaderTwice", "identity_headers: {subject: x-a, scopes: x-a}",
     "identity_headers.scopes: x-a is edge.identity_headers.subject already"},
    {"HeaderThatIsADefault", "identity_headers: {email: x-auth-subject}",
     "identity_headers.email: x-auth-subject is edge.identity_headers.subject already"},
    {"EmptySecurityHeader", "security_headers: {frame_options: ''}",
     "security_headers.frame_options: must not be empty"},
    {"SecurityHeaderBeyondAscii", "security_headers: {frame_options: \"d\u00e9ny\"}",
     "security_headers.frame_options: must be printable ASCII"},
    {"QuoteInRealm", "realm: 'a\"b'", "realm: must be printable ASCII without quotes"},
    {"BackslashInRealm", "realm: 'a\\b'", "realm: must be printable ASCII without quotes"},
    {"EmptyRealm", "realm: ''", "realm: must not be empty"},
};

INSTANTIATE_TEST_SUITE_P(Edge, BadEdge, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return test.param.name; });

TEST(EdgeConfig, LineBreaksInHeadersAreRefused) {
  const auto config = Parse("edge: {security_headers: {frame_options: \"DENY\\r\\nx: y\"}}\n");
  ASSERT_FALSE(config.ok());
  EXPECT_THAT(std::string(config.status().message()),
              StartsWith("/etc/g.yaml:7: edge.security_headers.frame_options"));
}

TEST(EdgeConfig, OriginsAreWrittenAsBrowsersSendThem) {
  for (const char* good : {"https://a", "http://localhost:3000", "https://a-b.c_d.example:8443",
                           "https://127.0.0.1:1", "https://[::1]", "http://[::1]:65535"}) {
    EXPECT_EQ(WhyNoOrigin(good), "") << good;
  }
  for (const char* bad : {"",
                          "a",
                          "a.example.com",
                          "https://",
                          "https://a/",
                          "https://a/b",
                          "https://a:",
                          "https://a:0",
                          "https://a:65536",
                          "https://a:443",
                          "http://a:80",
                          "https://a:08443",
                          "https://a:8x",
                          "https://A.example",
                          "HTTPS://a",
                          "https://*.a",
                          "*",
                          "null",
                          "https://u@a",
                          "https://a b",
                          "https://a?b",
                          "https://a#b",
                          "ftp://a",
                          "https://a..b",
                          "https://.a",
                          "https://a.",
                          "https://[::1",
                          "https://::1",
                          "//a",
                          "https://a,https://b"}) {
    EXPECT_NE(WhyNoOrigin(bad), "") << bad;
  }
}

TEST(EdgeConfig, ACookieThatSiblingsCanSetIsWarnedOf) {
  EXPECT_THAT(Warnings("edge: {cookie: token}\n"),
              ElementsAre(StartsWith("/etc/g.yaml:7: edge.cookie: a cookie whose name does not "
                                     "begin with __Host-")));
}

TEST(EdgeConfig, AnOriginOverPlainHttpIsWarnedOf) {
  EXPECT_THAT(Warnings("edge: {origins: ['http://app.example.com', 'http://127.0.0.1:1']}\n"),
              ElementsAre(StartsWith("/etc/g.yaml:7: edge.origins[0]: whoever is on the way")));
}

TEST(EdgeConfig, ACookieWithoutOriginsForWhatChangesSomethingIsWarnedOf) {
  const std::string edge = "edge: {cookie: __Host-t}\n";
  const auto route = [](const std::string& methods, const std::string& needs) {
    return absl::StrCat("routes: [{methods: ", methods, ", path: /a, ", needs, ": true}]\n");
  };
  EXPECT_THAT(Warnings(edge + route("[GET, POST]", "authenticated")),
              ElementsAre(HasSubstr("edge.cookie: without edge.origins")));
  EXPECT_THAT(Warnings(edge + route("any", "authenticated")),
              ElementsAre(HasSubstr("without edge.origins")));
  EXPECT_THAT(Warnings(edge + route("[GET, HEAD, OPTIONS]", "authenticated")), IsEmpty());
  EXPECT_THAT(Warnings(edge + route("[POST]", "public")), IsEmpty());
  EXPECT_THAT(Warnings("edge: {cookie: __Host-t, origins: ['https://a']}\n" +
                       route("[POST]", "authenticated")),
              IsEmpty());
}

}  // namespace
}  // namespace gatehouse::config
