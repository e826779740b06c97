#include <gtest/gtest.h>

#include <string>

#include "tests/edge/edge_fixture.h"

namespace gatehouse::edge {
namespace {

class CsrfTest : public EdgeTest {
 protected:
  static Sent Post() { return {.method = "POST"}; }
  // With the token in a cookie.
  int StatusBy(const Sent& sent) { return StatusOf(WithCookie(sent)); }
};

TEST_F(CsrfTest, SafeMethodsNeedNoOrigin) {
  for (const std::string method : {"GET", "HEAD", "OPTIONS"}) {
    EXPECT_EQ(StatusBy({.method = method}), 200) << method;
    EXPECT_EQ(StatusBy(Sent{.method = method}.With("origin", "https://evil.example")), 200);
  }
}

TEST_F(CsrfTest, EveryOtherMethodIsRefusedWithoutOne) {
  for (const std::string method :
       {"POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "QUERY", "CONNECT"}) {
    const Answer answer = Decide(WithCookie({.method = method}));
    EXPECT_EQ(answer.status, 403) << method;
    EXPECT_EQ(answer.code, "INSUFFICIENT_PERMISSIONS");
    EXPECT_EQ(answer.detail, "The request may have been made by another site.");
    EXPECT_FALSE(answer.looked_at_token);
  }
}

TEST_F(CsrfTest, ATokenInTheHeaderIsNoBrowsersDoing) {
  EXPECT_EQ(StatusOf(WithToken(Post())), 200);
  EXPECT_EQ(StatusOf(WithToken(WithCookie(Post().With("origin", "https://evil.example")))), 200);
}

TEST_F(CsrfTest, AnOriginOnTheListPasses) {
  for (const std::string origin :
       {"https://app.example.com", "HTTPS://App.Example.COM", "http://localhost:3000"}) {
    EXPECT_EQ(StatusBy(Post().With("Origin", origin)), 200) << origin;
  }
}

TEST_F(CsrfTest, AnOriginThatIsNotIsRefusedWhateverElseIsSaid) {
  for (const std::string origin :
       {"", "null", "NULL", "https://evil.example", "https://app.example.com/",
        "https://app.example.com:443", "http://app.example.com", "https://app.example.com.",
        "https://app.example.com.evil.example", "https://evil-app.example.com",
        " https://app.example.com", "https://app.example.com ", "app.example.com", "*",
        "https://app.example.com, https://app.example.com",
        "https://app.example.com https://evil.example", "https://api.example.com"}) {
    EXPECT_EQ(StatusBy(Post().With("origin", origin).With("sec-fetch-site", "same-origin")), 403)
        << origin;
  }
}

TEST_F(CsrfTest, TwoOriginsAreRefused) {
  EXPECT_EQ(StatusBy(Post()
                         .With("origin", "https://app.example.com")
                         .With("Origin", "https://app.example.com")),
            403);
}

TEST_F(CsrfTest, WithoutAnOriginTheBrowserMustSayThatItIsTheSame) {
  EXPECT_EQ(StatusBy(Post().With("Sec-Fetch-Site", "same-origin")), 200);
  for (const std::string site : {"", "none", "same-site", "cross-site", "Same-Origin",
                                 "same-origin,same-origin", "same-origin "}) {
    EXPECT_EQ(StatusBy(Post().With("sec-fetch-site", site)), 403) << site;
  }
  EXPECT_EQ(
      StatusBy(Post().With("sec-fetch-site", "same-origin").With("sec-fetch-site", "same-origin")),
      403);
  EXPECT_EQ(StatusBy(Post().With("sec_fetch_site", "same-origin")), 403)
      << "a page may send that one";
}

TEST_F(CsrfTest, AnUpgradeIsNeverSafe) {
  for (const std::string name : {"upgrade", "Upgrade", ":protocol", "Sec-WebSocket-Key"}) {
    const Sent socket = Sent().With(name, "websocket");
    EXPECT_EQ(StatusBy(socket), 403) << name;
    EXPECT_EQ(StatusBy(socket.With("origin", "https://evil.example")), 403) << name;
    EXPECT_EQ(StatusBy(socket.With("origin", "https://app.example.com")), 200) << name;
  }
}

TEST_F(CsrfTest, TheHostIsNoOrigin) {
  settings_.origins.clear();
  EXPECT_EQ(StatusBy(Post().With("origin", "https://api.example.com")), 403);
  EXPECT_EQ(
      StatusBy(Post().With("host", "api.example.com").With("origin", "https://api.example.com")),
      403);
}

}  // namespace
}  // namespace gatehouse::edge
