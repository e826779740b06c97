#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/edge/edge_fixture.h"

namespace gatehouse::edge {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

using GateTokenTest = EdgeTest;

TEST_F(GateTokenTest, ABearerTokenInAnyCaseOfTheSchemeIsRead) {
  for (const std::string scheme : {"Bearer ", "bearer ", "BEARER ", "bEaReR "}) {
    EXPECT_EQ(StatusOf(Sent().With("authorization", scheme + Token())), 200) << scheme;
    EXPECT_EQ(StatusOf(Sent().With("Authorization", scheme + Token())), 200) << scheme;
  }
}

TEST_F(GateTokenTest, AnythingElseInTheHeaderIsAnInvalidTokenWhateverTheCookieHolds) {
  for (const std::string& value :
       {std::string(), std::string(" "), std::string("Bearer"), std::string("Bearer "),
        "Bearer  " + Token(), "Bearer\t" + Token(), " Bearer " + Token(), "Bearer " + Token() + " ",
        std::string("Basic YTpi"), Token(), "Token " + Token(), "Bearer " + Token() + " x",
        std::string("Bearer null"), "Bearer: " + Token()}) {
    const Answer answer = Decide(WithCookie(Sent().With("authorization", value)));
    EXPECT_EQ(answer.status, 401) << value;
    EXPECT_EQ(answer.code, "TOKEN_INVALID") << value;
    EXPECT_EQ(answer.challenge, "Bearer realm=\"gatehouse\", error=\"invalid_token\"") << value;
    EXPECT_TRUE(answer.set.empty() && answer.remove.empty());
  }
}

TEST_F(GateTokenTest, TwoHeadersAreBadOnEveryRoute) {
  for (const std::string target : {"/me", "/public/x", "/api/ada/tasks/1", "/nowhere"}) {
    EXPECT_EQ(StatusOf(WithToken(WithToken({.target = target}))), 400) << target;
    EXPECT_EQ(StatusOf(Sent{.target = target}.With("authorization",
                                                   "Bearer " + Token() + ",Bearer " + Token())),
              400)
        << target << ": as a proxy joins them";
    EXPECT_EQ(StatusOf(WithToken(Sent{.target = target}.With("AUTHORIZATION", ""))), 400);
  }
}

TEST_F(GateTokenTest, WithoutATokenThereIsAChallengeWithoutAnError) {
  const Answer answer = Decide({});
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.code, "TOKEN_MISSING");
  EXPECT_EQ(answer.challenge, "Bearer realm=\"gatehouse\"");
}

TEST_F(GateTokenTest, ACookieIsReadByItsWholeName) {
  EXPECT_EQ(StatusOf(Sent().With("cookie", "session=" + Token())), 200);
  EXPECT_EQ(StatusOf(Sent().With("Cookie", "a=b; session=" + Token() + " ;c=d")), 200);
  EXPECT_EQ(StatusOf(Sent().With("cookie", "a=b").With("cookie", "session=" + Token())), 200);
  for (const std::string name : {"Session", "session2", "asession", "xsession", "ses sion"}) {
    EXPECT_EQ(Decide(Sent().With("cookie", name + "=" + Token())).code, "TOKEN_MISSING") << name;
  }
}

TEST_F(GateTokenTest, TwoCookiesOfTheNameAreBad) {
  const std::string one = "session=" + Token();
  EXPECT_EQ(StatusOf(Sent().With("cookie", one + "; " + one)), 400);
  EXPECT_EQ(StatusOf(Sent().With("cookie", one + ";session=")), 400);
  EXPECT_EQ(StatusOf(Sent().With("cookie", "session =x;" + one)), 400) << "a name is trimmed";
  EXPECT_EQ(StatusOf(Sent().With("cookie", one).With("Cookie", one)), 400);
  EXPECT_EQ(StatusOf(WithToken(Sent().With("cookie", one + "; " + one))), 200)
      << "a header decides alone";
}

TEST_F(GateTokenTest, AnEmptyCookieIsNoTokenAndAQuotedOneIsInvalid) {
  EXPECT_EQ(Decide(Sent().With("cookie", "session=")).code, "TOKEN_MISSING");
  EXPECT_EQ(Decide(Sent().With("cookie", "session= ; a=b")).code, "TOKEN_MISSING");
  EXPECT_EQ(Decide(Sent().With("cookie", "session")).code, "TOKEN_MISSING");
  EXPECT_EQ(Decide(Sent().With("cookie", "session=\"" + Token() + "\"")).code, "TOKEN_INVALID");
}

TEST_F(GateTokenTest, TheTokensCookieBehindACommaIsBadOnEveryRoute) {
  settings_.strip_token = true;
  const std::string one = "session=" + Token();
  for (const std::string target : {"/me", "/public/x", "/nowhere"}) {
    for (const std::string& value :
         {"a=b," + one, "a=b, " + one, "a=b,\t " + one, one + "," + one, "," + one, ",," + one,
          "a=b; c=d," + one + "; e=f", std::string("a=b,session,session =x"),
          std::string("a=b,session=")}) {
      const Sent sent = Sent{.target = target}.With("x", "y").With("Cookie", value);
      EXPECT_EQ(StatusOf(sent), 400) << target << " " << value;
      EXPECT_EQ(StatusOf(WithToken(sent)), 400) << target << " " << value;
    }
  }
  for (const std::string value : {"a=b,session2=x", "a=b,xsession=x", "a=b,session", "a=b,c=d",
                                  "a=b,Session=x", "a=b,session;c=d", "session,a=b"}) {
    EXPECT_EQ(StatusOf(WithToken(Sent().With("cookie", value))), 200) << value;
  }
  gate_ = nullptr;
  settings_.cookie.clear();
  EXPECT_EQ(StatusOf(WithToken(Sent().With("cookie", "a=b," + one))), 200);
}

TEST_F(GateTokenTest, ACommaIsPartOfACookie) {
  EXPECT_EQ(Decide(Sent().With("cookie", "session=" + Token() + ",a=b")).code, "TOKEN_INVALID");
}

TEST_F(GateTokenTest, WithoutAConfiguredCookieNoneIsRead) {
  settings_.cookie.clear();
  EXPECT_EQ(Decide(WithCookie()).code, "TOKEN_MISSING");
  EXPECT_EQ(Decide(Sent().With("cookie", "=" + Token())).code, "TOKEN_MISSING");
}

TEST_F(GateTokenTest, ATokenInTheQueryIsNeverRead) {
  EXPECT_EQ(Decide({.target = "/me?access_token=" + Token()}).code, "TOKEN_MISSING");
}

TEST_F(GateTokenTest, ACookieWithAControlCharacterIsBad) {
  EXPECT_EQ(StatusOf(WithToken(Sent().With("cookie", "a=b\r\nx-auth-subject: eve"))), 400);
}

TEST_F(GateTokenTest, TheTokenIsTakenOutWhereThatIsWanted) {
  EXPECT_THAT(Upstream(WithToken(), Decide(WithToken())),
              Contains(Pair("authorization", ::testing::_)))
      << "not unless it is";
  gate_ = nullptr;
  settings_.strip_token = true;
  for (const std::string target : {"/me", "/public/x"}) {
    const Sent sent = WithToken({.target = target}).With("cookie", "a=b; session=x; c=d");
    const auto upstream = Upstream(sent, Decide(sent));
    EXPECT_THAT(upstream, Not(Contains(Pair("authorization", ::testing::_)))) << target;
    EXPECT_THAT(upstream, Contains(Pair("cookie", "a=b; c=d"))) << target;
  }
  const Sent alone = WithCookie();
  EXPECT_THAT(Upstream(alone, Decide(alone)), Not(Contains(Pair("cookie", ::testing::_))));
  const Sent other = WithToken(Sent().With("cookie", "a=b"));
  EXPECT_THAT(Upstream(other, Decide(other)), Contains(Pair("cookie", "a=b")));
}

TEST_F(GateTokenTest, WhatATokenIsWorthDecidesAsVerifyWould) {
  const auto code_of = [this](const std::string& token) {
    return Decide(Sent().With("authorization", "Bearer " + token)).code;
  };
  EXPECT_EQ(code_of("a.b.c"), "TOKEN_INVALID");
  EXPECT_EQ(code_of(maker_.Sign(Claims(kNow - 1000, kNow - 100))), "TOKEN_EXPIRED");
  Commit(revocation::TagKind::kSubject, "ada");
  EXPECT_EQ(code_of(Token()), "TOKEN_REVOKED");
}

TEST_F(GateTokenTest, ARoutesAudiencesAreNeededToo) {
  EXPECT_EQ(Decide(WithToken({.target = "/web"})).code, "TOKEN_INVALID");
  const std::string both = maker_.Sign(absl::StrCat(R"({"iss":")", kIssuer,
                                                    R"(","aud":["api","web"],"sub":"ada","iat":)",
                                                    kNow, R"(,"exp":)", kNow + 900, "}"));
  EXPECT_EQ(StatusOf(Sent{.target = "/web"}.With("authorization", "Bearer " + both)), 200);
}

TEST_F(GateTokenTest, ARouteWhoseAudiencesAreUnknownIsNotPassed) {
  MakeGate({});
  EXPECT_EQ(StatusOf(WithToken({.target = "/web"})), 503);
}

TEST_F(GateTokenTest, WhatIsNotInTheMemoryIsPutOff) {
  const Answer answer = Decide(WithToken(), {.effort = engine::Effort::kKnownOnly});
  EXPECT_TRUE(answer.looked_at_token);
  EXPECT_EQ(answer.examined.kind, engine::Examination::Kind::kUnknown);
  EXPECT_NE(answer.status, 200);
}

TEST_F(GateTokenTest, WithoutKeysThereIsNoDecision) {
  sources_[0]->Clear();
  const Answer waiting = Decide(WithToken());
  EXPECT_EQ(waiting.examined.kind, engine::Examination::Kind::kNeedsKeys);
  const Answer answer = Decide(WithToken(), {.news = engine::KeyNews::kFailed});
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.code, "UNAVAILABLE");
  EXPECT_THAT(BodyOf(answer), AllOf(HasSubstr(R"("code":"UNAVAILABLE")"), HasSubstr("503")));
}

}  // namespace
}  // namespace gatehouse::edge
