#include "server/edge/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/edge/edge_fixture.h"

namespace gatehouse::edge {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

using GateTest = EdgeTest;

TEST_F(GateTest, AMalformedRequestIsBadWhateverTheRoute) {
  const Sent good{.target = "/public/x"};
  EXPECT_EQ(StatusOf(good), 200);
  const auto bad = [&](auto change) {
    Sent sent = good;
    change(sent);
    const Answer answer = Decide(WithToken(sent));
    EXPECT_EQ(answer.code, "INVALID_REQUEST");
    EXPECT_EQ(answer.challenge, "Bearer realm=\"gatehouse\", error=\"invalid_request\"");
    EXPECT_EQ(answer.route, -1);
    EXPECT_FALSE(answer.reason.empty());
    return answer.status;
  };
  EXPECT_EQ(bad([](Sent& s) { s.method = "get"; }), 400);
  EXPECT_EQ(bad([](Sent& s) { s.method.clear(); }), 400);
  EXPECT_EQ(bad([](Sent& s) { s.host.clear(); }), 400);
  EXPECT_EQ(bad([](Sent& s) { s.host = "a,b"; }), 400);
  EXPECT_EQ(bad([](Sent& s) { s.target.clear(); }), 400);
  EXPECT_EQ(bad([](Sent& s) { s.target = "http://api.example.com/public/x"; }), 400);
  EXPECT_EQ(bad([](Sent& s) { s.target = "/public/../me"; }), 400);
  EXPECT_EQ(bad([](Sent& s) { s.target = "/public/\xFF"; }), 400);
  EXPECT_EQ(bad([](Sent& s) { s.target = "/public/%FF"; }), 400);
  EXPECT_EQ(bad([](Sent& s) { s.target = "*"; }), 400);
  EXPECT_EQ(bad([](Sent& s) { s = s.With("", "x"); }), 400);
  EXPECT_EQ(bad([](Sent& s) { s = s.With("x y", "x"); }), 400);
  EXPECT_EQ(bad([](Sent& s) { s = s.With("x-auth-subject ", "x"); }), 400);
  EXPECT_EQ(bad([](Sent& s) { s = s.With("x\xC3\xA9", "x"); }), 400);
  EXPECT_EQ(bad([](Sent& s) { s = s.With("host", "a").With("Host", "a"); }), 400);
  EXPECT_EQ(bad([](Sent& s) { s = s.With("host", "a").With(":authority", "b"); }), 400);
}

TEST_F(GateTest, NoHeaderMayOverrideTheMethod) {
  for (const std::string name :
       {"x-http-method-override", "X-HTTP-Method-Override", "x_http_method_override",
        "X-HTTP_Method-Override", "x-http-method", "X_HTTP_METHOD", "x-method-override",
        "X-Method_Override"}) {
    EXPECT_EQ(StatusOf(Sent{.target = "/public/x"}.With(name, "DELETE")), 400) << name;
    EXPECT_EQ(StatusOf(WithToken().With(name, "")), 400) << name;
  }
  EXPECT_EQ(StatusOf(WithToken().With("x-http-methods", "x")), 200);
}

TEST_F(GateTest, NoHeaderMayOverrideThePath) {
  for (const std::string name :
       {"x-original-url", "X-Original-URL", "X_Original_Url", "x-rewrite-url", "X-Rewrite_URL"}) {
    EXPECT_EQ(StatusOf(Sent{.target = "/public/x"}.With(name, "/admin")), 400) << name;
    EXPECT_EQ(StatusOf(WithToken().With(name, "")), 400) << name;
  }
}

TEST_F(GateTest, NoRequestMayTurnIntoATunnelOfAnotherProtocolThanWebSocket) {
  for (const std::string target : {"/public/x", "/me"}) {
    const Sent sent = WithToken({.target = target});
    EXPECT_EQ(StatusOf(sent.With("Upgrade", "WebSocket")), 200);
    EXPECT_EQ(StatusOf(sent.With("Upgrade", "websocket").With("Sec-WebSocket-Key", "x")), 200);
    for (const std::string value : {"h2c", "websocket, h2c", "h2c, websocket", "", "TLS/1.0"}) {
      EXPECT_EQ(StatusOf(sent.With("Upgrade", value)), 400) << value;
      EXPECT_EQ(StatusOf(sent.With(":protocol", value)), 400) << value;
    }
    EXPECT_EQ(StatusOf(sent.With("upgrade", "websocket").With("Upgrade", "websocket")), 400);
    EXPECT_EQ(StatusOf(sent.With("HTTP2-Settings", "AAMAAABk")), 400);
  }
}

TEST_F(GateTest, AForwardedHostThatIsNotTheOneDecidedOnIsRemoved) {
  for (const std::string target : {"/public/x", "/me"}) {
    const Sent sent = WithToken({.target = target});
    const Answer other = Decide(sent.With("X-Forwarded-Host", "admin.internal"));
    EXPECT_THAT(other.remove, testing::Contains("X-Forwarded-Host"));
    EXPECT_THAT(Decide(sent.With("x_forwarded_host", "admin.internal")).remove,
                testing::Contains("x_forwarded_host"));
    const Answer same = Decide(sent.With("X-Forwarded-Host", sent.host));
    EXPECT_THAT(same.remove, testing::Not(testing::Contains("X-Forwarded-Host")));
  }
}

TEST_F(GateTest, WithoutARouteNothingPasses) {
  for (const Sent& sent :
       {Sent{.target = "/nowhere"}, Sent{.target = "/"}, Sent{.target = "/ME"},
        Sent{.method = "POST", .target = "/public/x"}, Sent{.target = "/only-admin"}}) {
    const Answer answer = Decide(WithToken(sent));
    EXPECT_EQ(answer.status, 403) << sent.target;
    EXPECT_EQ(answer.code, "INSUFFICIENT_PERMISSIONS");
    EXPECT_EQ(answer.challenge, "");
    EXPECT_EQ(answer.route, -1);
  }
  EXPECT_EQ(StatusOf(WithToken({.host = "ADMIN.example.com.:443", .target = "/only-admin"})), 200);
}

TEST_F(GateTest, HeadIsAGet) {
  EXPECT_EQ(StatusOf({.method = "HEAD", .target = "/public/x"}), 200);
}

TEST_F(GateTest, ThePolicyDecidesWithWhatThePathNames) {
  const Answer own = Decide(WithToken({.target = "/api/ada/tasks/4%202"}));
  EXPECT_EQ(own.status, 200);
  EXPECT_EQ(own.route, kTasks);
  ASSERT_NE(own.question, nullptr);
  EXPECT_EQ(own.question->resource, "task/4 2");
  EXPECT_EQ(own.question->owner, "ada");
  const Answer other = Decide(WithToken({.target = "/api/eve/tasks/42"}));
  EXPECT_EQ(other.status, 403);
  EXPECT_EQ(other.code, "INSUFFICIENT_PERMISSIONS");
  EXPECT_EQ(other.detail, "The token does not permit this.");
  EXPECT_EQ(other.challenge, "Bearer realm=\"gatehouse\", error=\"insufficient_scope\"");
}

TEST_F(GateTest, APathThatNamesNothingIsDenied) {
  EXPECT_EQ(StatusOf(WithToken({.target = "/files/"})), 403);
  EXPECT_EQ(StatusOf(WithToken({.target = "/files/" + std::string(5000, 'x')})), 403);
}

TEST_F(GateTest, WhatTheProxySaysOfTheRouteBecomesAttributes) {
  const Answer answer = Decide(WithToken(
      {.target = "/api/ada/tasks/1", .context = {{"tier", "gold"}, {"Tier", ""}, {"tier", "x"}}}));
  EXPECT_EQ(answer.status, 200);
  ASSERT_NE(answer.question, nullptr);
  EXPECT_THAT(answer.question->attributes, ElementsAre(Pair("tier", "gold"), Pair("Tier", "")));
  EXPECT_EQ(StatusOf(WithToken({.target = "/api/ada/tasks/1", .context = {{"a", "x\n"}}})), 400);
  EXPECT_EQ(StatusOf(WithToken({.target = "/me", .context = {{"a", "x\n"}}})), 200)
      << "of no use there";
}

TEST_F(GateTest, APeerIsItselfOrBelow) {
  const auto status_of = [this](const std::string& peer) {
    return StatusOf({.target = "/mesh", .peer = peer});
  };
  EXPECT_EQ(status_of("spiffe://example.org/ns/ops/sa/cron"), 200);
  EXPECT_EQ(status_of("spiffe://example.org/ns/web/sa/a"), 200);
  for (const std::string no :
       {"", "spiffe://example.org/ns/ops/sa/cron/x", "spiffe://example.org/ns/ops/sa/cro",
        "spiffe://example.org/ns/web/", "spiffe://example.org/ns/web",
        "spiffe://example.org/ns/webx/sa/a", "spiffe://example.org/ns/web/*x",
        "SPIFFE://example.org/ns/ops/sa/cron", "xspiffe://example.org/ns/web/sa/a"}) {
    const Answer answer = Decide({.target = "/mesh", .peer = no});
    if (no == "spiffe://example.org/ns/web/*x") {
      EXPECT_EQ(answer.status, 200) << "a name like another";
      continue;
    }
    EXPECT_EQ(answer.status, 403) << no;
    EXPECT_EQ(answer.reason, "the peer is not one of the route's");
  }
}

Sent Preflight(const std::string& target, const std::string& method) {
  return Sent{.method = "OPTIONS", .target = target}
      .With("Origin", "https://app.example.com")
      .With("Access-Control-Request-Method", method);
}

TEST_F(GateTest, APreflightPassesWhereTheMethodThatItAsksForMayHaveOne) {
  EXPECT_EQ(StatusOf(Preflight("/api/eve/tasks/1", "DELETE")), 200);
  EXPECT_EQ(StatusOf(Preflight("/public/x", "GET")), 200);
  EXPECT_EQ(StatusOf(Preflight("/api/eve/tasks/1", "PATCH")), 403) << "of no route";
  EXPECT_EQ(StatusOf(Preflight("/nowhere", "GET")), 403);
  EXPECT_EQ(StatusOf(Preflight("/me", "GET")), 401) << "has none, and takes any method";
}

TEST_F(GateTest, WhatIsNoPreflightIsAnOrdinaryRequest) {
  const Sent options{.method = "OPTIONS", .target = "/api/ada/tasks/1"};
  EXPECT_EQ(StatusOf(options), 403);
  EXPECT_EQ(StatusOf(options.With("origin", "x")), 403);
  EXPECT_EQ(StatusOf(options.With("access-control-request-method", "GET")), 403);
  const Sent good = Preflight("/api/ada/tasks/1", "GET");
  EXPECT_EQ(StatusOf(good), 200);
  EXPECT_EQ(StatusOf(good.With("origin", "x")), 403);
  EXPECT_EQ(StatusOf(good.With("access-control-request-method", "GET")), 403);
  EXPECT_EQ(StatusOf(good.With("upgrade", "websocket")), 403);
  for (const std::string method : {"get", "", "GET,POST", "GET "}) {
    EXPECT_EQ(StatusOf(Preflight("/api/ada/tasks/1", method)), 403) << method;
  }
  Sent get = good;
  get.method = "GET";
  EXPECT_EQ(StatusOf(get), 401);
}

TEST_F(GateTest, APreflightBringsNobodyAndNoToken) {
  const Sent sent = WithCookie(WithToken(Preflight("/api/ada/tasks/1", "GET")))
                        .With("x_auth_subject", "eve")
                        .With("x-auth-roles", "admin");
  const Answer answer = Decide(sent);
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.looked_at_token);
  EXPECT_THAT(answer.set, IsEmpty());
  for (const auto& [name, value] : Upstream(sent, answer)) {
    EXPECT_TRUE(name == "Origin" || name == "Access-Control-Request-Method") << name;
  }
}

TEST_F(GateTest, AProxyThatCannotRemovePassesNoPreflightWithAToken) {
  Sent sent = Preflight("/api/ada/tasks/1", "GET");
  sent.can_remove_headers = false;
  EXPECT_EQ(StatusOf(sent), 200);
  EXPECT_EQ(StatusOf(WithCookie(sent)), 403);
  EXPECT_EQ(StatusOf(WithToken(sent)), 403);
}

TEST_F(GateTest, APreflightNeedsItsPeerToo) {
  EXPECT_EQ(StatusOf(Preflight("/mesh", "GET")), 403);
  Sent sent = Preflight("/mesh", "GET");
  sent.peer = "spiffe://example.org/ns/web/sa/a";
  EXPECT_EQ(StatusOf(sent), 200);
}

TEST_F(GateTest, TheRealmIsTheConfiguredOne) {
  settings_.realm = "tasks";
  EXPECT_EQ(Decide({}).challenge, "Bearer realm=\"tasks\"");
}

TEST_F(GateTest, ABodySaysWhatWasDecided) {
  EXPECT_EQ(BodyOf(Decide({})),
            R"({"detail":"A token is required.","code":"TOKEN_MISSING","status":401})");
}

TEST_F(GateTest, SixtyKibOfHeadersAreReadAndNoMore) {
  Sent sent = WithToken();
  for (int i = 0; i < 1000; ++i) sent.headers.emplace_back("x_auth_subject", "eve");
  EXPECT_EQ(Upstream(sent, Decide(sent)).size(), 3U) << "the token, the subject, the tenant";
  sent = Sent{.target = "/public/x"}.With("x", std::string(HeaderReader::kMaxBytes - 1, 'x'));
  EXPECT_EQ(StatusOf(sent), 200);
  EXPECT_EQ(StatusOf(sent.With("y", "")), 400);
  EXPECT_EQ(StatusOf(WithToken().With("x", std::string(100 * 1024, 'x'))), 400);
}

}  // namespace
}  // namespace gatehouse::edge
