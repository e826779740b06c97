#include <gtest/gtest.h>

#include "tests/engine/engine_fixture.h"

// What the engine makes of revocations that end, and what it tells those who clean up.
namespace gatehouse::engine {
namespace {

using policy::Code;
using revocation::Marks;
using revocation::TagKind;

class EndOfRevocations : public EngineTest {
 protected:
  static revocation::Tag Subject() {
    return revocation::MakeTag(TagKind::kSubject, kIssuer, "ada");
  }
  Code CodeOf(const std::string& token) { return authorizer_->Examine(token).code; }
  void At(int64_t second) { clock_.SetWall(absl::FromUnixSeconds(second)); }
};

TEST_F(EndOfRevocations, ASuspendedSubjectsTokenIsGoodAgainFromTheEndOn) {
  const std::string token = Token();
  EXPECT_EQ(CodeOf(token), Code::kOk);
  Commit(Subject(), {.issued_until = 0, .suspended_until = static_cast<uint32_t>(kNow + 60)});
  EXPECT_EQ(CodeOf(token), Code::kTokenRevoked);
  // One that is minted meanwhile too.
  At(kNow + 30);
  EXPECT_EQ(CodeOf(Token(kNow + 30)), Code::kTokenRevoked);
  At(kNow + 59);
  EXPECT_EQ(CodeOf(token), Code::kTokenRevoked);
  At(kNow + 60);
  EXPECT_EQ(CodeOf(token), Code::kOk);
}

TEST_F(EndOfRevocations, ALastingRevocationOutlivesAShortSuspension) {
  Commit(TagKind::kSubject, "ada", kNow);
  Commit(Subject(), {.issued_until = 0, .suspended_until = static_cast<uint32_t>(kNow + 60)});
  EXPECT_EQ(CodeOf(Token(kNow + 1)), Code::kTokenRevoked);
  At(kNow + 60);
  EXPECT_EQ(CodeOf(Token(kNow)), Code::kTokenRevoked);
  EXPECT_EQ(CodeOf(Token(kNow + 1)), Code::kOk);
}

TEST_F(EndOfRevocations, ASuspensionIsInForceAgainWhenTheClockIsSetBackBeforeItsEnd) {
  const std::string token = Token();
  Commit(Subject(), {.issued_until = 0, .suspended_until = static_cast<uint32_t>(kNow + 60)});
  At(kNow + 60);
  EXPECT_EQ(CodeOf(token), Code::kOk);
  EXPECT_EQ(CodeOf(token), Code::kOk);
  At(kNow + 59);
  EXPECT_EQ(CodeOf(token), Code::kTokenRevoked);
}

// The clock runs ahead, what has ended by it is cleaned up, and the clock is set back.
TEST_F(EndOfRevocations, WhatWasCleanedUpByAClockThatRanAheadStaysRefused) {
  const std::string token = Token(kNow, kNow + 900);
  Commit(TagKind::kSession, "s1");
  EXPECT_EQ(CodeOf(token), Code::kTokenRevoked);
  CleanUpUntil(absl::FromUnixSeconds(kNow + 900 + 121));
  EXPECT_EQ(CodeOf(token), Code::kTokenExpired);
  Trace trace;
  EXPECT_EQ(authorizer_->Examine(token, {.trace = &trace}).code, Code::kTokenExpired);
  EXPECT_NE(trace.back().detail.find("cleaned up"), std::string::npos) << trace.back().detail;
}

TEST_F(EndOfRevocations, ATokenThatEndsNoSoonerThanWasCleanedUpIsJudgedByTheClock) {
  const std::string token = Token(kNow, kNow + 900);
  CleanUpUntil(absl::FromUnixSeconds(kNow + 900 + 120));
  EXPECT_EQ(CodeOf(token), Code::kOk);
}

TEST_F(EndOfRevocations, AGoodTokenIsTold) {
  EXPECT_FALSE(index_.saw_good_token());
  CodeOf(Token(kNow - 2000, kNow - 1000));
  CodeOf("x");
  EXPECT_FALSE(index_.saw_good_token());
  CodeOf(Token());
  EXPECT_TRUE(index_.saw_good_token());
  EXPECT_TRUE(index_.TakeSawGoodToken());
  EXPECT_FALSE(index_.TakeSawGoodToken());
}

// By a clock that is ahead of the issuer's none is fresh, however long it may still live.
TEST_F(EndOfRevocations, AGoodTokenThatIsNotFreshIsNotTold) {
  const std::string token = Token(kNow, kNow + 3600);
  At(kNow + 301);
  EXPECT_EQ(CodeOf(token), Code::kOk);
  EXPECT_EQ(CodeOf(token), Code::kOk);  // remembered
  EXPECT_FALSE(index_.saw_good_token());
  At(kNow + 300);
  EXPECT_EQ(CodeOf(token), Code::kOk);
  EXPECT_TRUE(index_.saw_good_token());
}

TEST_F(EndOfRevocations, ASessionThatIsRefusedIsToldAndOneRefusedForAnotherReasonIsNot) {
  Commit(TagKind::kSubject, "ada", kNow);
  EXPECT_EQ(CodeOf(Token()), Code::kTokenRevoked);
  EXPECT_TRUE(index_.TakeRefusedSessions().empty());
  Commit(TagKind::kSession, "s1");
  EXPECT_EQ(CodeOf(Token()), Code::kTokenRevoked);
  const auto told = index_.TakeRefusedSessions();
  ASSERT_EQ(told.size(), 1);
  EXPECT_EQ(told[0], revocation::MakeTag(TagKind::kSession, kIssuer, "s1"));
}

}  // namespace
}  // namespace gatehouse::engine
