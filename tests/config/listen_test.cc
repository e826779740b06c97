#include "server/config/listen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace gatehouse::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr char kRest[] = R"(
issuers:
  - issuer: i
    audiences: [todo]
    algorithms: [ES256]
    keys: {jwks_url: https://example.com/jwks}
revocations: {sqlite: {path: gatehouse.db}}
)";
constexpr char kCallers[] =
    "callers: [{name: edge, token_file: a, may: [check]}, {name: api, token_file: b, may: "
    "[verify]}]\n";

absl::StatusOr<Config> Read(const std::string& listen, const std::string& callers = kCallers) {
  return ParseConfig(absl::StrCat("listen: {", listen, "}", kRest, callers), "g.yaml");
}

std::vector<std::string> Mistakes(const std::string& listen,
                                  const std::string& callers = kCallers) {
  const auto config = Read(listen, callers);
  if (config.ok()) return {};
  return absl::StrSplit(config.status().message(), '\n');
}

std::string Port(const std::string& fields) { return "forward_auth: [{" + fields + "}]"; }

TEST(Listeners, ForwardAuthAndOAuthAreTakenOver) {
  const auto config = Read(
      "oauth: true, forward_auth: [{address: \"127.0.0.1:0\", dialect: nginx, caller: edge}, "
      "{address: \"[::1]:8002\", dialect: caddy}, {address: \"127.0.0.1:0\", dialect: traefik}]");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->oauth);
  using Dialect = ForwardAuth::Dialect;
  EXPECT_THAT(
      config->forward_auth,
      ElementsAre(
          ForwardAuth{.address = {"127.0.0.1", 0}, .dialect = Dialect::kNginx, .caller = "edge"},
          ForwardAuth{.address = {"::1", 8002}, .dialect = Dialect::kCaddy},
          ForwardAuth{.address = {"127.0.0.1", 0}, .dialect = Dialect::kTraefik}));
}

TEST(Listeners, ForwardAuthNeedsAnAddressAndADialect) {
  EXPECT_THAT(Mistakes(Port("dialect: nginx")),
              ElementsAre(StartsWith("g.yaml:1: listen.forward_auth[0].address: ")));
  EXPECT_THAT(Mistakes(Port("address: \"127.0.0.1:1\"")),
              ElementsAre(StartsWith("g.yaml:1: listen.forward_auth[0].dialect: ")));
  EXPECT_THAT(Mistakes(Port("address: \"127.0.0.1\", dialect: nginx")),
              ElementsAre(HasSubstr("forward_auth[0].address: must be \"host:port\"")));
  EXPECT_THAT(Mistakes(Port("address: \"127.0.0.1:1\", dialect: ngnix")),
              ElementsAre(HasSubstr("unknown dialect \"ngnix\"; did you mean \"nginx\"?")));
  EXPECT_THAT(Mistakes(Port("address: \"127.0.0.1:1\", dialect: haproxy")),
              ElementsAre(HasSubstr("known are nginx, traefik, caddy")));
}

TEST(Listeners, NoTwoShareAPort) {
  EXPECT_THAT(Mistakes(Port("address: \"127.0.0.1:7070\", dialect: nginx")),
              ElementsAre(HasSubstr("must not share port 7070 with listen.grpc")));
  EXPECT_THAT(Mistakes(Port("address: \"127.0.0.1:7071\", dialect: nginx")),
              ElementsAre(HasSubstr("must not share port 7071 with listen.http")));
  EXPECT_THAT(Mistakes("forward_auth: [{address: \"127.0.0.1:1\", dialect: nginx}, "
                       "{address: \"127.0.0.1:1\", dialect: caddy}]"),
              ElementsAre(HasSubstr(
                  "forward_auth[1].address: must not share port 1 with listen.forward_auth[0]")));
}

TEST(Listeners, ForwardAuthsCallerExistsAndMayCheck) {
  const auto as = [](const std::string& caller) {
    return Port("address: \"127.0.0.1:1\", dialect: nginx, caller: " + caller);
  };
  EXPECT_THAT(Mistakes(as("edge")), IsEmpty());
  EXPECT_THAT(Mistakes(as("egde")),
              ElementsAre(HasSubstr("there is no caller \"egde\"; did you mean \"edge\"?")));
  EXPECT_THAT(Mistakes(as("api")), ElementsAre(HasSubstr("caller api has no right \"check\"")));
  EXPECT_THAT(Mistakes(as("edge"), ""), ElementsAre(HasSubstr("there are no callers")));
  EXPECT_THAT(Mistakes(Port("address: \"127.0.0.1:1\", dialect: nginx"), ""), IsEmpty());
}

TEST(Listeners, OffLoopbackForwardAuthNeedsCallersAndAMeshAndEachProxysOwnToken) {
  const std::string port = Port("address: \"0.0.0.0:1\", dialect: nginx");
  EXPECT_THAT(Mistakes("plaintext_behind_mesh: true, " + port), IsEmpty());
  EXPECT_THAT(Mistakes(port), ElementsAre(AllOf(StartsWith("g.yaml:1: listen.forward_auth[0]."),
                                                HasSubstr("plaintext_behind_mesh: true"))));
  EXPECT_THAT(Mistakes("plaintext_behind_mesh: true, " + port, ""),
              ElementsAre(HasSubstr("name who may call under callers")));
  EXPECT_THAT(Mistakes("plaintext_behind_mesh: true, " +
                       Port("address: \"0.0.0.0:1\", dialect: nginx, caller: edge")),
              ElementsAre(AllOf(HasSubstr("forward_auth[0].caller: other machines reach"),
                                HasSubstr("X-Gatehouse-Caller"))));
}

TEST(Listeners, OAuthNeedsCallersAndOffLoopbackAMesh) {
  EXPECT_THAT(Mistakes("oauth: true"), IsEmpty());
  EXPECT_THAT(Mistakes("oauth: true", ""),
              ElementsAre(StartsWith("g.yaml:1: listen.oauth: needs callers")));
  EXPECT_THAT(Mistakes("oauth: true, http: \"0.0.0.0:7071\""),
              ElementsAre(AllOf(StartsWith("g.yaml:1: listen.http: other machines reach"),
                                HasSubstr("plaintext_behind_mesh: true"))));
  EXPECT_THAT(Mistakes("oauth: true, http: \"0.0.0.0:7071\", plaintext_behind_mesh: true"),
              IsEmpty());
}

TEST(Listeners, UnixSocketIsLocalAndNeedsNeitherCallersNorAMesh) {
  const auto config = Read("grpc: \"unix:/run/gate.sock\", health: \"unix:/run/health\"", "");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->grpc, Endpoint{.unix_path = "/run/gate.sock"});
  EXPECT_EQ(config->grpc.ToString(), "unix:/run/gate.sock");
  EXPECT_EQ(config->health, Endpoint{.unix_path = "/run/health"});
}

TEST(Listeners, UnixSocketsPathIsAbsoluteAndShort) {
  const auto grpc = [](const std::string& path) {
    return Mistakes(absl::StrCat("grpc: \"unix:", path, "\""));
  };
  EXPECT_THAT(grpc("/" + std::string(97, 'a')), IsEmpty());
  for (const std::string& bad :
       {std::string(), std::string("gate.sock"), std::string("./gate.sock"), std::string("/"),
        std::string("/run/"), "/" + std::string(98, 'a')}) {
    EXPECT_THAT(grpc(bad),
                ElementsAre(AllOf(StartsWith("g.yaml:1: listen.grpc: must be \"unix:\" and the"),
                                  HasSubstr("absolute path"), HasSubstr("98 bytes at most"))))
        << bad;
    EXPECT_THAT(Mistakes(absl::StrCat("health: \"unix:", bad, "\"")),
                ElementsAre(StartsWith("g.yaml:1: listen.health: must be \"unix:\" and the")))
        << bad;
  }
}

TEST(Listeners, HttpTakesNoUnixSocket) {
  EXPECT_THAT(Mistakes("http: \"unix:/run/http\""),
              ElementsAre(StartsWith("g.yaml:1: listen.http: must be \"host:port\"")));
  EXPECT_THAT(Mistakes(Port("address: \"unix:/run/http\", dialect: nginx")),
              ElementsAre(HasSubstr("forward_auth[0].address: must be \"host:port\"")));
}

TEST(Listeners, HealthIsOffUnlessGivenAndMayLieAnywhere) {
  EXPECT_FALSE(Read("")->health.has_value());
  const auto config = Read("health: \"0.0.0.0:7072\"", "");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->health, (Endpoint{.host = "0.0.0.0", .port = 7072}));
  EXPECT_THAT(Mistakes("health: \"7072\""),
              ElementsAre(StartsWith("g.yaml:1: listen.health: must be \"host:port\"")));
}

TEST(Listeners, HealthSharesNoPortAndNoSocket) {
  EXPECT_THAT(Mistakes("health: \"127.0.0.1:0\", grpc: \"127.0.0.1:0\""), IsEmpty());
  EXPECT_THAT(Mistakes("health: \"0.0.0.0:7070\""),
              ElementsAre(HasSubstr("listen.health: must not share port 7070 with listen.grpc")));
  EXPECT_THAT(Mistakes("health: \"0.0.0.0:7071\""),
              ElementsAre(HasSubstr("listen.health: must not share port 7071 with listen.http")));
  EXPECT_THAT(
      Mistakes("health: \"127.0.0.1:1\", " + Port("address: \"127.0.0.1:1\", dialect: nginx")),
      ElementsAre(HasSubstr("must not share port 1 with listen.health")));
  EXPECT_THAT(Mistakes("health: \"unix:/run/a\", grpc: \"unix:/run/a\""),
              ElementsAre(HasSubstr("listen.health: must not share the socket with listen.grpc")));
  EXPECT_THAT(Mistakes("health: \"unix:/run/a\", grpc: \"unix:/run/b\""), IsEmpty());
}

TEST(Listeners, NoIssuerIsCalledAsAProbe) {
  for (const char* const name : {"liveness", "readiness"}) {
    const auto config = ParseConfig(
        absl::StrReplaceAll(kRest, {{"issuer: i", absl::StrCat("issuer: ", name)}}), "g.yaml");
    EXPECT_THAT(std::string(config.status().message()),
                HasSubstr("issuers[0].issuer: \"" + std::string(name) + "\" is what"));
  }
}

}  // namespace
}  // namespace gatehouse::config
