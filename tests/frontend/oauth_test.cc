#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/frontend/raw_http.h"
#include "tests/frontend/server_fixture.h"

namespace gatehouse {
namespace {

using config::Right;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kGateway[] = "q7Zp2vX9rT4mK1wB8nY5cF3hJ6sD0gLe";
constexpr char kOther[] = "u3Xk8Rz1+t6Nq9Ws4Ym7Bc2%2BJd0FgL";  // holds what forms escape

class OAuthTest : public ServerTest {
 protected:
  OAuthTest() {
    config_.oauth = true;
    Add("gateway", kGateway, {Right::kIntrospect, Right::kVerify});
    Add("other/a.b", kOther, {Right::kVerify});
  }

  void Add(const std::string& name, const std::string& token, std::vector<Right> may) {
    const std::string file = folder_ / absl::StrCat(config_.callers.size(), ".token");
    std::ofstream(file) << token << "\n";
    config_.callers.push_back(
        {.name = name, .token_file = file, .may = std::move(may), .audiences = {}});
  }

  static std::string Basic(const std::string& name, const std::string& secret) {
    return absl::StrCat("Authorization: Basic ", absl::Base64Escape(name + ":" + secret), "\r\n");
  }

  std::string Post(const std::string& path, const std::string& headers, const std::string& body,
                   const std::string& type = "application/x-www-form-urlencoded") {
    return RawHttp::Ask(
        server_->http_port(),
        absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: x\r\n", headers, "Content-Type: ", type,
                     "\r\nContent-Length: ", body.size(), "\r\nConnection: close\r\n\r\n", body));
  }
  std::string Introspect(const std::string& token) {
    return Post("/oauth/introspect", Basic("gateway", kGateway), "token=" + token);
  }
  std::string Revoke(const std::string& token) {
    return Post("/oauth/revoke", Basic("gateway", kGateway), "token=" + token);
  }
  std::string Metrics() {
    return RawHttp::Ask(server_->http_port(),
                        "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }
};

TEST_F(OAuthTest, AGoodTokenIsActiveAndSaysWhatItHolds) {
  Start();
  const std::string reply = Introspect(Token(
      "ada",
      R"(,"jti":"j1","sid":"s1","client_id":"web","scope":"a b","roles":["admin","user"],"nbf":1799999999)"));
  EXPECT_THAT(reply, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Cache-Control: no-store"),
                           HasSubstr("Content-Type: application/json")));
  EXPECT_THAT(reply,
              EndsWith(absl::StrCat(R"({"active":true,"token_type":"Bearer","iss":")", kIssuer,
                                    R"(","sub":"ada","exp":)", kNow + 900, R"(,"iat":)", kNow,
                                    R"(,"nbf":)", kNow - 1, R"(,"jti":"j1","client_id":"web",)",
                                    R"("scope":"a b","roles":["admin","user"],"sid":"s1"})")));
  EXPECT_THAT(Introspect(Token("bob")), Not(HasSubstr("scope"))) << "what it has not is left out";
}

TEST_F(OAuthTest, AnyOtherTokenIsInactiveAndNothingMoreIsSaid) {
  Start();
  std::string forged = Token();
  forged[forged.size() - 3] = forged[forged.size() - 3] == 'A' ? 'B' : 'A';
  const std::string expired =
      maker_.Sign(absl::StrCat(R"({"iss":")", kIssuer, R"(","aud":"api","sub":"ada","iat":)",
                               kNow - 900, R"(,"exp":)", kNow - 100, "}"));
  const std::string elsewhere =
      maker_.Sign(absl::StrCat(R"({"iss":"https://other.example","aud":"api","sub":"ada","iat":)",
                               kNow, R"(,"exp":)", kNow + 100, "}"));
  for (const std::string& token : {std::string("no-token"), forged, expired, elsewhere}) {
    const std::string reply = Introspect(token);
    EXPECT_THAT(reply, AllOf(StartsWith("HTTP/1.1 200"), EndsWith("\r\n\r\n{\"active\":false}")))
        << token;
  }
}

TEST_F(OAuthTest, ATokenForOtherAudiencesThanTheCallersIsInactive) {
  config_.issuers[0].rules.audiences = {"api", "billing"};
  config_.callers[0].audiences = {"billing"};
  Start();
  EXPECT_THAT(Introspect(Token()), EndsWith("{\"active\":false}"));
}

TEST_F(OAuthTest, ARevokedTokenIsInactiveAtOnceAndRefusedOverGrpc) {
  Start();
  const std::string token = Token();
  EXPECT_THAT(Introspect(token), HasSubstr("\"active\":true"));
  const std::string reply = Revoke(token);
  EXPECT_THAT(reply, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Length: 0"),
                           EndsWith("\r\n\r\n")));
  EXPECT_THAT(Introspect(token), EndsWith("{\"active\":false}"));
  EXPECT_THAT(Revoke(token), StartsWith("HTTP/1.1 200")) << "once more";
  v1::VerifyRequest request;
  request.set_token(token);
  v1::VerifyResponse response;
  grpc::ClientContext context;
  SetDeadline(context, std::chrono::seconds(20));
  context.AddMetadata("authorization", absl::StrCat("Bearer ", kGateway));
  ASSERT_TRUE(stub_->Verify(&context, request, &response).ok());
  EXPECT_EQ(response.decision().code(), v1::CODE_TOKEN_REVOKED);
  EXPECT_THAT(Metrics(), AllOf(HasSubstr("gatehouse_revocations_total 1\n"),
                               HasSubstr("gatehouse_repeated_revocations_total 1\n"),
                               HasSubstr("method=\"Introspect\",code=\"TOKEN_REVOKED\"} 1\n")));
}

TEST_F(OAuthTest, RevokingWhatIsGoodForNothingIsDone) {
  Start();
  EXPECT_THAT(Revoke("no-token"), AllOf(StartsWith("HTTP/1.1 200"), EndsWith("\r\n\r\n")));
  EXPECT_THAT(Metrics(), HasSubstr("gatehouse_revocations_total 0\n"));
}

TEST_F(OAuthTest, ClientsAuthenticateInOneOfThreeWays) {
  Start();
  const std::string token = "token=" + Token();
  const std::string escaped = "u3Xk8Rz1%2Bt6Nq9Ws4Ym7Bc2%252BJd0FgL";
  const std::vector<std::pair<std::string, std::string>> good = {
      {Basic("other/a.b", kOther), token},
      {Basic("other%2Fa.b", escaped), token},
      {Basic("gateway", kGateway), token},
      {"authorization: basic " + absl::Base64Escape(absl::StrCat("gateway:", kGateway)) + "\r\n",
       token},
      {absl::StrCat("Authorization: Bearer ", kGateway, "\r\n"), token},
      {absl::StrCat("Authorization: Bearer ", kGateway, "\r\n"), token + "&client_id=gateway"},
      {"", absl::StrCat(token, "&client_id=gateway&client_secret=", kGateway)},
      {"", absl::StrCat(token, "&client_id=other%2Fa.b&client_secret=", escaped)},
  };
  for (const auto& [headers, body] : good) {
    EXPECT_THAT(Post("/oauth/revoke", headers, body), StartsWith("HTTP/1.1 200"))
        << headers << body;
  }
}

TEST_F(OAuthTest, AnUnknownClientIs401) {
  Start();
  const std::string token = "token=" + Token();
  const std::vector<std::pair<std::string, std::string>> unknown = {
      {"", token},
      {"", token + "&client_id=gateway"},
      {Basic("gateway", "wrong"), token},
      {Basic("gateway", kOther), token},
      {Basic("other/a.b", kGateway), token},
      {Basic("", kGateway), token},
      {Basic("gateway", ""), token},
      {"Authorization: Bearer wrong\r\n", token},
      {absl::StrCat("Authorization: Digest ", kGateway, "\r\n"), token},
      {"", absl::StrCat(token, "&client_id=gateway&client_secret=", kOther)},
      {"", absl::StrCat(token, "&client_id=other&client_secret=", kGateway)},
  };
  for (const std::string path : {"/oauth/revoke", "/oauth/introspect"}) {
    for (const auto& [headers, body] : unknown) {
      const std::string reply = Post(path, headers, body);
      EXPECT_THAT(reply,
                  AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("\"error\":\"invalid_client\""),
                        HasSubstr("WWW-Authenticate: Basic realm=\"gatehouse\"")))
          << headers << body;
      EXPECT_THAT(reply, Not(HasSubstr(kGateway)));
    }
  }
  EXPECT_THAT(Introspect(Token()), HasSubstr("\"active\":true")) << "nothing was revoked";
}

TEST_F(OAuthTest, MoreThanOneWayAtOnceOrAMalformedRequestIs400) {
  Start();
  const std::string token = "token=" + Token();
  const std::string basic = Basic("gateway", kGateway);
  const std::vector<std::pair<std::string, std::string>> bad = {
      {basic, absl::StrCat(token, "&client_id=gateway&client_secret=", kGateway)},
      {basic + basic, token},
      {basic, token + "&client_id=other"},
      {"", absl::StrCat(token, "&client_secret=", kGateway)},
      {"Authorization: Basic !!!\r\n", token},
      {"Authorization: Basic\r\n", token},
      {basic, ""},
      {basic, "token="},
      {basic, token + "&token=x"},
      {basic, token + "&hint=a&hint=b"},
      {basic, token + "&x=%zz"},
      {basic, "token_type_hint=access_token"},
  };
  for (const auto& [headers, body] : bad) {
    EXPECT_THAT(Post("/oauth/introspect", headers, body),
                AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("\"error\":\"invalid_request\"")))
        << headers << body;
  }
  EXPECT_THAT(Post("/oauth/introspect", basic, token + "&client_id=other"),
              HasSubstr("client_id is not the client that Authorization names"));
  EXPECT_THAT(Post("/oauth/introspect", basic, "{}", "application/json"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Post("/oauth/introspect?" + token, basic, ""), StartsWith("HTTP/1.1 400"))
      << "a token in the address is not read";
}

TEST_F(OAuthTest, OtherParametersAndTheHintAreIgnored) {
  Start();
  EXPECT_THAT(Post("/oauth/introspect", Basic("gateway", kGateway),
                   absl::StrCat("token_type_hint=refresh_token&x=1&token=", Token())),
              HasSubstr("\"active\":true"));
}

TEST_F(OAuthTest, IntrospectionNeedsItsRightAndRevocationNone) {
  Start();
  const std::string token = "token=" + Token();
  EXPECT_THAT(Post("/oauth/introspect", Basic("other/a.b", kOther), token),
              AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("unauthorized_client"),
                    Not(HasSubstr("active"))));
  EXPECT_THAT(Post("/oauth/revoke", Basic("other/a.b", kOther), token), StartsWith("HTTP/1.1 200"));
}

TEST_F(OAuthTest, OnlyPostIsAnswered) {
  Start();
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}) {
    EXPECT_THAT(RawHttp::Ask(server_->http_port(),
                             absl::StrCat(method, " /oauth/introspect HTTP/1.1\r\nHost: x\r\n",
                                          "Connection: close\r\n\r\n")),
                AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: POST")))
        << method;
  }
}

TEST_F(OAuthTest, WithoutKeysNothingIsSaidOfATokenButThatItMayBeTriedAgain) {
  config_.issuers[0].keys = config::KeysUrl{.url = "http://127.0.0.1:1/jwks"};
  Start();
  for (const std::string& reply : {Introspect(Token()), Revoke(Token())}) {
    EXPECT_THAT(reply, AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Retry-After: 1"),
                             Not(HasSubstr("active"))));
  }
}

TEST_F(OAuthTest, ARequestThatWaitsForKeysEndsWithTheServer) {
  config_.issuers[0].keys = config::KeysUrl{.url = "http://127.0.0.1:1/jwks"};
  Start();
  RawHttp client(server_->http_port());
  const std::string body = "token=" + Token();
  client.Send(absl::StrCat(
      "POST /oauth/introspect HTTP/1.1\r\nHost: x\r\n", Basic("gateway", kGateway),
      "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ", body.size(),
      "\r\n\r\n", body));
  Stop();
  EXPECT_THAT(client.ReadAll(), ::testing::AnyOf("", StartsWith("HTTP/1.1 503")));
}

TEST_F(OAuthTest, WithoutItTheEndpointsAreNotThere) {
  config_.oauth = false;
  Start();
  const auto not_found = AllOf(StartsWith("HTTP/1.1 404"),
                               EndsWith("\r\n\r\nthere is /livez, /readyz and /metrics\n"));
  EXPECT_THAT(Post("/oauth/introspect", Basic("gateway", kGateway), ""), not_found);
  EXPECT_THAT(Introspect(Token()), not_found);
  EXPECT_THAT(Post("/metrics", "", "x=y"), StartsWith("HTTP/1.1 400")) << "no body is taken";
  EXPECT_THAT(Post("/metrics", "", ""), StartsWith("HTTP/1.1 405"));
}

TEST_F(OAuthTest, AnUnknownPathIs404AndNamesTheEndpoints) {
  Start();
  for (const std::string body : {"", "token=x"}) {
    EXPECT_THAT(
        Post("/oauth/token", Basic("gateway", kGateway), body),
        AllOf(StartsWith("HTTP/1.1 404"),
              EndsWith("/livez, /readyz, /metrics, /oauth/introspect and /oauth/revoke\n")));
  }
}

TEST_F(OAuthTest, AReloadCannotChangeListeners) {
  Start();
  config::Config next = config_;
  next.oauth = false;
  next.forward_auth = {
      {.address = {"127.0.0.1", 0}, .dialect = config::ForwardAuth::Dialect::kCaddy}};
  const absl::Status status = server_->Reload(next);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("listen.oauth: is on since the start; to change it to off needs a "
                              "restart"),
                    HasSubstr("listen.forward_auth[0]: is none since the start; to change it to "
                              "127.0.0.1:0 for caddy needs a restart")));
}

}  // namespace
}  // namespace gatehouse
