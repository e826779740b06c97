#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/frontend/raw_http.h"
#include "tests/frontend/server_fixture.h"

namespace gatehouse {
namespace {

using config::Right;
using Dialect = config::ForwardAuth::Dialect;
using policy::Route;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kProxy[] = "q7Zp2vX9rT4mK1wB8nY5cF3hJ6sD0gLe";
constexpr char kOther[] = "u3Xk8Rz1Vt6Nq9Ws4Ym7Bc2Hp5Jd0FgL";

// nginx on loopback as "proxy"; traefik, and caddy, that say who they are.
class ForwardAuthTest : public ServerTest {
 protected:
  ForwardAuthTest() {
    Add("proxy", kProxy, {Right::kCheck});
    Add("other", kOther, {Right::kVerify});
    config_.forward_auth = {
        {.address = {"127.0.0.1", 0}, .dialect = Dialect::kNginx, .caller = "proxy"},
        {.address = {"127.0.0.1", 0}, .dialect = Dialect::kTraefik},
        {.address = {"127.0.0.1", 0}, .dialect = Dialect::kCaddy},
    };
    config_.routes = {
        {.path = "/public", .needs = Route::Needs::kNothing},
        {.path = "/any/**", .needs = Route::Needs::kToken, .preflight = true},
        {.methods = {"GET"},
         .path = "/users/{owner}/tasks/{id}",
         .needs = Route::Needs::kDecision,
         .resource = "task/{id}",
         .action = "read"},
    };
    config_.edge.cookie = "session";
    config_.edge.origins = {"https://app.example"};
  }

  void Add(const std::string& name, const std::string& token, std::vector<Right> may) {
    const std::string file = folder_ / (name + ".token");
    std::ofstream(file) << token << "\n";
    config_.callers.push_back(
        {.name = name, .token_file = file, .may = std::move(may), .audiences = {}});
  }

  std::string Send(size_t listener, const std::string& headers,
                   const std::string& line = "GET /auth") {
    return RawHttp::Ask(server_->forward_auth_ports()[listener],
                        absl::StrCat(line, " HTTP/1.1\r\nHost: gatehouse\r\nConnection: close\r\n",
                                     headers, "\r\n"));
  }

  static std::string Original(const std::string& method, const std::string& target) {
    return absl::StrCat("X-Original-Method: ", method, "\r\nX-Original-URI: ", target,
                        "\r\nX-Original-Host: app.example\r\n");
  }
  static std::string Forwarded(const std::string& method, const std::string& target) {
    return absl::StrCat("X-Forwarded-Method: ", method, "\r\nX-Forwarded-Uri: ", target,
                        "\r\nX-Forwarded-Host: app.example\r\n");
  }
  std::string Nginx(const std::string& method, const std::string& target,
                    const std::string& more = "") {
    return Send(0, Original(method, target) + more);
  }
  std::string Metrics() {
    return RawHttp::Ask(server_->http_port(),
                        "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }
  std::string Bearer(const std::string& subject = "ada", const std::string& more = "") const {
    return absl::StrCat("Authorization: Bearer ", Token(subject, more), "\r\n");
  }
};

TEST_F(ForwardAuthTest, AGoodTokenPassesWithItsIdentity) {
  Start();
  EXPECT_THAT(Nginx("GET", "/any/thing?x=1", Bearer("ada", R"(,"roles":["admin","user"])")),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("x-auth-subject: ada\r\n"),
                    HasSubstr("x-auth-roles: admin,user\r\n"), Not(HasSubstr("x-auth-tenant")),
                    HasSubstr("Content-Length: 0")));
}

TEST_F(ForwardAuthTest, ThePathDecidesAndNotTheAskingRequestsOwn) {
  Start();
  const std::string own = Original("GET", "/users/ada/tasks/7") + Bearer();
  EXPECT_THAT(Send(0, own, "POST /public"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(
      Send(0, Original("GET", "/users/bob/tasks/7") + Bearer(), "GET /public"),
      AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("\"code\":\"INSUFFICIENT_PERMISSIONS\"")));
  EXPECT_THAT(Nginx("POST", "/users/ada/tasks/7", Bearer()), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Nginx("GET", "/nowhere", Bearer()), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Nginx("GET", "/public"), AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr("x-auth"))));
}

TEST_F(ForwardAuthTest, WithoutAGoodToken401WithAChallengeAndABody) {
  Start();
  EXPECT_THAT(
      Nginx("GET", "/any/x"),
      AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("WWW-Authenticate: Bearer realm="),
            HasSubstr("Content-Type: application/json"), HasSubstr("\"code\":\"TOKEN_MISSING\"")));
  EXPECT_THAT(Nginx("GET", "/any/x", "Authorization: Bearer nonsense\r\n"),
              AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("error=\"invalid_token\"")));
  EXPECT_THAT(Nginx("GET", "/any/x", Bearer() + Bearer()), StartsWith("HTTP/1.1 400"));
}

TEST_F(ForwardAuthTest, ARevokedTokenIsRefusedAtOnce) {
  config_.callers[1].may.push_back(Right::kRevoke);
  Start();
  const std::string token = Token();
  const std::string header = absl::StrCat("Authorization: Bearer ", token, "\r\n");
  EXPECT_THAT(Nginx("GET", "/any/x", header), StartsWith("HTTP/1.1 200"));
  v1::RevokeRequest request;
  request.set_token(token);
  v1::RevokeResponse response;
  grpc::ClientContext context;
  SetDeadline(context, std::chrono::seconds(20));
  context.AddMetadata("authorization", absl::StrCat("Bearer ", kOther));
  ASSERT_TRUE(stub_->Revoke(&context, request, &response).ok());
  EXPECT_THAT(Nginx("GET", "/any/x", header),
              AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("TOKEN_REVOKED")));
}

TEST_F(ForwardAuthTest, EachHeaderOfTheDialectStandsThereExactlyOnce) {
  Start();
  const std::string all = Original("GET", "/public");
  EXPECT_THAT(Send(0, all), StartsWith("HTTP/1.1 200"));
  for (const char* more :
       {"X-Original-Method: GET\r\n", "x-original-uri: /public\r\n", "X_Original_URI: /any\r\n",
        "x-original_host: evil\r\n", "X-Original-Host: app.example\r\n"}) {
    EXPECT_THAT(Send(0, all + more),
                AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("INVALID_REQUEST")))
        << more;
    EXPECT_THAT(Send(0, more + all), StartsWith("HTTP/1.1 400")) << more;
  }
  for (const char* name : {"X-Original-Method", "X-Original-URI", "X-Original-Host"}) {
    std::string without = all;
    const size_t begin = without.find(name);
    without.erase(begin, without.find("\r\n", begin) + 2 - begin);
    EXPECT_THAT(Send(0, without), StartsWith("HTTP/1.1 400")) << name;
    std::string loose = all;
    loose[loose.find(name) + 1] = '_';
    EXPECT_THAT(Send(0, loose), StartsWith("HTTP/1.1 400")) << name;
  }
}

TEST_F(ForwardAuthTest, AnotherDialectsHeadersSayNothing) {
  Start();
  EXPECT_THAT(Send(0, Original("GET", "/any/x") + Forwarded("GET", "/public")),
              StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(Send(0, Forwarded("GET", "/public")), StartsWith("HTTP/1.1 400"));
  const std::string known = absl::StrCat("X-Gatehouse-Caller: ", kProxy, "\r\n");
  for (const size_t listener : {size_t{1}, size_t{2}}) {
    EXPECT_THAT(Send(listener, known + Forwarded("GET", "/public")), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(Send(listener, known + Forwarded("GET", "/any/x") + Original("GET", "/public") +
                                   Original("GET", "/public")),
                StartsWith("HTTP/1.1 401"));
    EXPECT_THAT(Send(listener, known + Original("GET", "/public")), StartsWith("HTTP/1.1 400"));
  }
}

TEST_F(ForwardAuthTest, AProxyThatIsNobodysCallerGetsNoAnswer) {
  Start();
  const std::string asked = Forwarded("GET", "/public");
  const auto as = [&](const std::string& token) {
    return Send(1, absl::StrCat("X-Gatehouse-Caller: ", token, "\r\n", asked));
  };
  EXPECT_THAT(as(kProxy), AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr(kProxy))));
  const auto undecided = AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Retry-After: 1"),
                               HasSubstr("\"code\":\"UNAVAILABLE\""));
  ::testing::internal::CaptureStderr();
  EXPECT_THAT(Send(1, asked), undecided);
  EXPECT_THAT(as("wrong"), undecided);
  EXPECT_THAT(as(kOther), undecided) << "has no right to check";
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, AllOf(HasSubstr(R"(caller="" code="UNAVAILABLE" reason="unknown caller")"),
                         HasSubstr(R"(caller="other" code="UNAVAILABLE" reason="no right)"),
                         Not(HasSubstr(kOther)), Not(HasSubstr("wrong"))));
  EXPECT_THAT(Metrics(), AllOf(HasSubstr("{caller=\"other\",code=\"PERMISSION_DENIED\"} 1\n"),
                               HasSubstr("code=\"UNAUTHENTICATED\"} 2\n")));
  for (const char* name : {"X-Gatehouse-Caller", "x_gatehouse_caller"}) {
    EXPECT_THAT(Send(1, absl::StrCat("X-Gatehouse-Caller: ", kProxy, "\r\n", name, ": ", kProxy,
                                     "\r\n", asked)),
                StartsWith("HTTP/1.1 400"));
  }
}

TEST_F(ForwardAuthTest, AnIdentityHeaderOfTheClientsIs400InAnySpellingOnPublicRoutesToo) {
  Start();
  for (const char* name :
       {"X-Auth-Subject", "x-auth-subject", "X_Auth_Subject", "x-auth_roles", "X-AUTH-TENANT"}) {
    for (const char* target : {"/public", "/any/x"}) {
      EXPECT_THAT(Nginx("GET", target, absl::StrCat(name, ": root\r\n", Bearer())),
                  AllOf(StartsWith("HTTP/1.1 400"), Not(HasSubstr("root"))))
          << name;
    }
  }
}

TEST_F(ForwardAuthTest, APathThatCanBeReadInTwoWaysIs400) {
  Start();
  for (const char* target : {"/any/../public", "/any%2fx", "//public", "/any\\x", "/any/%zz",
                             "http://app.example/public", "public", "*"}) {
    EXPECT_THAT(Nginx("GET", target, Bearer()), StartsWith("HTTP/1.1 400")) << target;
  }
  EXPECT_THAT(Nginx("get", "/public"), StartsWith("HTTP/1.1 400"));
}

TEST_F(ForwardAuthTest, ACookieCountsOnlyForTheSite) {
  Start();
  const std::string cookie = absl::StrCat("Cookie: session=", Token(), "\r\n");
  EXPECT_THAT(Nginx("GET", "/any/x", cookie), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Nginx("POST", "/any/x", cookie), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Nginx("POST", "/any/x", cookie + "Origin: https://app.example\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Nginx("POST", "/any/x", cookie + "Origin: https://evil.example\r\n"),
              StartsWith("HTTP/1.1 403"));
}

TEST_F(ForwardAuthTest, APreflightPassesWhereTheRouteSaysSo) {
  Start();
  const std::string preflight =
      "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n";
  EXPECT_THAT(Nginx("OPTIONS", "/any/x", preflight),
              AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr("x-auth"))));
  EXPECT_THAT(Nginx("OPTIONS", "/users/ada/tasks/7", preflight),
              AnyOf(StartsWith("HTTP/1.1 401"), StartsWith("HTTP/1.1 403")));
}

TEST_F(ForwardAuthTest, WithoutKeysItIs503AndMayBeTriedAgain) {
  config_.issuers[0].keys = config::KeysUrl{.url = "http://127.0.0.1:1/jwks"};
  Start();
  EXPECT_THAT(Nginx("GET", "/any/x", Bearer()),
              AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Retry-After: 1"),
                    HasSubstr("\"code\":\"UNAVAILABLE\"")));
  EXPECT_THAT(Nginx("GET", "/public"), StartsWith("HTTP/1.1 200"));
}

TEST_F(ForwardAuthTest, ThirtyKiBOfHeadersPassAndMoreIsRefused) {
  Start();
  const auto with = [&](size_t size) {
    return Nginx("GET", "/public", absl::StrCat("Cookie: a=", std::string(size, 'x'), "\r\n"));
  };
  EXPECT_THAT(with(size_t{30} * 1024), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(with(size_t{100} * 1024), StartsWith("HTTP/1.1 431"));
}

TEST_F(ForwardAuthTest, WithoutCallersWhoeverReachesThePortMayAsk) {
  config_.callers.clear();
  config_.forward_auth[0].caller.clear();
  Start();
  EXPECT_THAT(Nginx("GET", "/public"), StartsWith("HTTP/1.1 200"));
}

TEST_F(ForwardAuthTest, DecisionsAreCounted) {
  Start();
  Nginx("GET", "/any/x", Bearer());
  Nginx("GET", "/any/x");
  Nginx("GET", "/any/../x");
  EXPECT_THAT(Metrics(),
              AllOf(HasSubstr("gatehouse_decisions_total{method=\"ForwardAuth\",code=\"OK\"} 1\n"),
                    HasSubstr("{method=\"ForwardAuth\",code=\"TOKEN_MISSING\"} 1\n"),
                    HasSubstr("gatehouse_undecided_total{method=\"ForwardAuth\"} 1\n"),
                    HasSubstr("gatehouse_calls_total{caller=\"proxy\",code=\"OK\"} 2\n")));
}

}  // namespace
}  // namespace gatehouse
