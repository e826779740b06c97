#include <gmock/gmock.h>

#include "tests/client_cpp/fakes.h"

namespace gatehouse::client {
namespace {

using testing::HasSubstr;

class CallsTest : public ClientTest {
 protected:
  v1::VerifyRequest Request() {
    v1::VerifyRequest request;
    EXPECT_TRUE(request.ParseFromString(transport->asked.back().request));
    return request;
  }
  // Revokes, and is told that it made this revision.
  void Revoke(int64_t revision, const std::string& store = "s") {
    std::optional<Result<Revoked>> revoked;
    client->Revoke(SessionTarget{"i", "s"}, {},
                   [&](Result<Revoked> result) { revoked = std::move(result); });
    v1::RevokeResponse reply;
    reply.set_revision(revision);
    reply.set_store_id(store);
    reply.mutable_revocation()->mutable_session();
    reply.mutable_revocation()->set_id("x");
    Answer(reply);
    ASSERT_TRUE(revoked.has_value() && revoked->ok());
    EXPECT_EQ((*revoked)->kind, "session");
  }
};

TEST_F(CallsTest, EveryCallHasADeadline) {
  Make();
  Verify();
  EXPECT_EQ(transport->asked.back().timeout, 500 * kMillisecond);
  CallOptions options;
  options.deadline = std::chrono::milliseconds(70);
  Verify("u", options);
  EXPECT_EQ(transport->asked.back().timeout, 70 * kMillisecond);
  client->Revoke(TokenTarget{"t"}, {}, [](const Result<Revoked>&) {});
  EXPECT_EQ(transport->asked.back().timeout, 500 * kMillisecond);
}

TEST_F(CallsTest, OnlyUnavailableIsTriedAgainAndCancelledWhichWasTheServers) {
  Make();
  for (int code = 1; code <= 16; ++code) {
    const bool again = code == 1 || code == 14;
    const Place place = Verify("t" + std::to_string(code));
    Fail(code);
    time->Advance(40 * kMillisecond);
    EXPECT_EQ(transport->asked.size(), again ? 1U : 0U) << code;
    EXPECT_EQ(place->has_value(), !again) << code;
    if (!again) {
      EXPECT_EQ((*place)->http_status(), 503);
    } else {
      Answer(Allowed());
      EXPECT_TRUE((*place)->allowed());
    }
  }
  EXPECT_EQ(client->figures().retries, 2U);
}

TEST_F(CallsTest, ThePausesOfACallRiseAndNoneHasAFifthTry) {
  CallOptions options;
  options.deadline = std::chrono::minutes(1);
  const std::map<double, std::vector<int64_t>> pauses = {
      {0, {20, 150, 300}}, {0.5, {30, 250, 500}}, {1, {40, 350, 700}}};
  for (const auto& [by_chance, expected] : pauses) {
    Make();
    chance = by_chance;
    const Place place = Verify("t", options);
    for (const int64_t pause : expected) {
      Fail(14);
      time->Advance(pause * kMillisecond - 1);
      EXPECT_TRUE(transport->asked.empty()) << pause;
      time->Advance(1);
      ASSERT_EQ(transport->asked.size(), 1U) << pause;
    }
    Fail(14);
    ASSERT_TRUE(place->has_value());
    EXPECT_EQ((*place)->error().code, ErrorCode::kUnavailable);
  }
}

TEST_F(CallsTest, APauseTakesThreeQuartersOfTheTimeThatIsLeftAtMostAndTwentyMillisecondsAtLeast) {
  Make();
  chance = 1;
  CallOptions options;
  options.deadline = std::chrono::milliseconds(40);
  const Place place = Verify("t", options);
  Fail(14);
  time->Advance(30 * kMillisecond - 1);
  EXPECT_TRUE(transport->asked.empty());
  time->Advance(1);
  ASSERT_EQ(transport->asked.size(), 1U);
  EXPECT_EQ(transport->asked.back().timeout, 10 * kMillisecond);
  Fail(14);
  EXPECT_TRUE(place->has_value());
}

TEST_F(CallsTest, ACallBridgesARestartOfThreeTenthsOfASecond) {
  for (const double by_chance : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    Make();
    chance = by_chance;
    const int64_t back = time->Now() + 300 * kMillisecond;
    const Place place = Verify();
    while (time->Now() < back) {
      if (!transport->asked.empty()) Fail(14);
      time->Advance(kMillisecond);
    }
    while (transport->asked.empty() && !place->has_value()) time->Advance(kMillisecond);
    ASSERT_FALSE(place->has_value()) << by_chance;
    EXPECT_GE(transport->asked.back().timeout, 25 * kMillisecond) << "left for the answer";
    Answer(Allowed());
    EXPECT_TRUE((*place)->allowed());
    EXPECT_LE(client->figures().retries, 3U);
  }
}

TEST_F(CallsTest, WhenTheDeadlineEndsALaterTryTheErrorIsThatOfTheOneBefore) {
  Make();
  const Place place = Verify();
  Fail(14);
  time->Advance(40 * kMillisecond);
  Fail(4);
  EXPECT_EQ((*place)->error().code, ErrorCode::kUnavailable);
}

TEST_F(CallsTest, LaterTriesAreATenthOfTheCallsBeyondTheFirstTen) {
  Make();
  for (int i = 0; i < 500; ++i) {
    Verify(std::to_string(i));
    while (!transport->asked.empty()) {
      Fail(14);
      time->Advance(500 * kMillisecond);
    }
  }
  EXPECT_GE(client->figures().retries, 50U);
  EXPECT_LE(client->figures().retries, 60U);
}

TEST_F(CallsTest, AfterARevocationOfOnesOwnCallsNameItUntilTheStreamHasPassedIt) {
  MakeLive();
  Ask(Allowed());
  Revoke(12);
  // The event is yet to come, and the memory is not asked.
  Verify();
  EXPECT_EQ(Request().min_revision(), 12);
  EXPECT_EQ(Request().store_id(), "s");
  Answer(Allowed(12));
  stream().Tell(Change(11, 'b'));
  Verify();
  EXPECT_EQ(Request().min_revision(), 12);
  Answer(Allowed(12));
  stream().Tell(Change(12, 'b'));
  EXPECT_TRUE(Remembers());
  Verify("other");
  EXPECT_EQ(Request().min_revision(), 0);
}

TEST_F(CallsTest, AnEventThatCameBeforeTheReplyAsksNothing) {
  MakeLive();
  stream().Tell(Change(12, 'b'));
  Revoke(12);
  Verify();
  EXPECT_EQ(Request().min_revision(), 0);
}

TEST_F(CallsTest, ARevisionThatTheServerDoesNotKnowIsForgottenAndTheCallMadeOnceMore) {
  MakeLive();
  Revoke(12, "other");
  const Place place = Verify();
  EXPECT_EQ(Request().store_id(), "other");
  Fail(9);
  ASSERT_EQ(transport->asked.size(), 1U);
  EXPECT_EQ(Request().min_revision(), 0);
  Fail(9);
  ASSERT_TRUE(place->has_value());
  EXPECT_EQ((*place)->error().code, ErrorCode::kFailedPrecondition);
  Ask(Allowed());
  EXPECT_TRUE(Remembers());
}

TEST_F(CallsTest, ARevocationThatIsRefusedDoesNotForgetTheOneBefore) {
  MakeLive();
  Ask(Allowed());
  Revoke(12);
  bool refused = false;
  client->Revoke(SubjectTarget{"i", "u1", {}}, {}, [&](const Result<Revoked>& result) {
    refused = result.error().code == ErrorCode::kFailedPrecondition;
  });
  Fail(9);
  EXPECT_TRUE(refused);
  EXPECT_TRUE(transport->asked.empty()) << "asked twice";
  Verify();
  EXPECT_EQ(Request().min_revision(), 12);
}

TEST_F(CallsTest, AConnectionOnWhichNobodyAnswersIsGivenUp) {
  Make();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(transport->renewed, 0);
    Verify(std::to_string(i));
    time->Advance(500 * kMillisecond);
    Fail(4);
  }
  EXPECT_EQ(transport->renewed, 1);
}

TEST_F(CallsTest, ErrorsNameTheSettingToLookAt) {
  Make();
  const auto error = [&](int code) {
    const Place place = Verify("secret-token");
    Fail(code);
    EXPECT_EQ((*place)->error().message.find("secret-token"), std::string::npos);
    return (*place)->error().message;
  };
  EXPECT_THAT(error(16), HasSubstr("GATEHOUSE_TOKEN_FILE"));
  EXPECT_THAT(error(7), HasSubstr("may"));
  EXPECT_THAT(error(12), HasSubstr("older"));
  EXPECT_THAT(error(4), HasSubstr("GATEHOUSE_DEADLINE"));
}

TEST_F(CallsTest, AnAnswerThatIsNoneIsAnError) {
  Make();
  const Place place = Verify();
  const auto asked = std::move(transport->asked.front());
  transport->asked.clear();
  asked.done({}, "\x0a\x7fnonsense");
  EXPECT_EQ((*place)->error().code, ErrorCode::kUnimplemented);
}

TEST_F(CallsTest, ATokenThatIsNoTextIsSentSoThatItIsRefused) {
  Make();
  Verify(
      "a\xff"
      "b");
  EXPECT_EQ(Request().token(), "a?b");
  Verify(std::string(200'000, 'x'));
  EXPECT_EQ(Request().token().size(), 20U * 1024);
}

TEST_F(CallsTest, AFieldThatIsNoTextIsTheCallersErrorAndNamed) {
  Make();
  Check check{"note/1"};
  check.owner = "\xed\xa0\x80";
  const Place place = Authorize(check);
  ASSERT_TRUE(place->has_value());
  EXPECT_EQ((*place)->error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT((*place)->error().message, HasSubstr("owner"));
  EXPECT_TRUE(transport->asked.empty());
  std::optional<BatchAnswer> batch;
  client->BatchAuthorize("t", {{"note/1"}, check}, {},
                         [&](BatchAnswer answer) { batch = std::move(answer); });
  EXPECT_THAT(batch->token.error().message, HasSubstr("checks[1].owner"));
}

TEST_F(CallsTest, AQuestionIsSentWhole) {
  Make();
  Authorize({"note/1", "read", "ada", "acme", {{"editor", {"b"}}}, {{"k", "v"}}});
  v1::AuthorizeRequest request;
  ASSERT_TRUE(request.ParseFromString(transport->asked.back().request));
  EXPECT_EQ(request.token(), "t");
  EXPECT_EQ(request.resource(), "note/1");
  EXPECT_EQ(request.owner(), "ada");
  EXPECT_EQ(request.action(), "read");
  EXPECT_EQ(request.tenant(), "acme");
  EXPECT_EQ(request.relations().at("editor").subjects(0), "b");
  EXPECT_EQ(request.attributes().at("k"), "v");
  EXPECT_TRUE(request.with_tags());
}

TEST_F(CallsTest, WhatIsUnderWayWhenTheClientGoesEndsWithAnError) {
  MakeLive();
  const Place asked = Verify();
  const Place paused = Verify("u");
  const auto second = transport->asked.back();
  second.done({14, ""}, "");
  client.reset();
  EXPECT_EQ((*asked)->error().code, ErrorCode::kCancelled);
  EXPECT_EQ((*paused)->error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace gatehouse::client
