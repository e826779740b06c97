#include "server/engine/revoker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/engine/engine_fixture.h"

namespace gatehouse::engine {
namespace {

using ::testing::StartsWith;

class RevokerTest : public EngineTest {
 protected:
  Revoker revoker() const { return Revoker(*authorizer_, absl::Hours(720), clock_); }
  static std::string MessageOf(const absl::StatusOr<revocation::NewFact>& fact) {
    EXPECT_EQ(fact.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(fact.status().message());
  }
};

TEST_F(RevokerTest, ATokensFactNamesItsIdentityAndNeverTheToken) {
  const std::string token = Token();
  const auto fact = revoker().Token(authorizer_->Examine(token), {"me", "lost"});
  ASSERT_TRUE(fact.ok()) << fact.status();
  EXPECT_EQ(fact->kind, revocation::TagKind::kToken);
  EXPECT_EQ(fact->target.size(), 64u);
  EXPECT_EQ(token.find(fact->target), std::string::npos);
  EXPECT_EQ(fact->end_time, absl::FromUnixSeconds(kNow + 900 + 120));
  EXPECT_EQ(fact->issued_until, revocation::kAll);
  EXPECT_EQ(fact->actor, "me");
  EXPECT_EQ(fact->reason, "lost");
}

TEST_F(RevokerTest, AnExpiredOrBadTokenIsRefusedAndSaysSo) {
  EXPECT_THAT(MessageOf(revoker().Token(authorizer_->Examine(Token(kNow - 1000, kNow - 10)), {})),
              StartsWith("token: has expired"));
  EXPECT_THAT(MessageOf(revoker().Token(authorizer_->Examine("x"), {})), StartsWith("token: "));
  EXPECT_THAT(MessageOf(revoker().Token(authorizer_->Examine(""), {})), StartsWith("token: "));
}

TEST_F(RevokerTest, ARevokedTokenCanBeRevokedAgain) {
  Commit(revocation::TagKind::kSession, "s1");
  EXPECT_TRUE(revoker().Token(authorizer_->Examine(Token()), {}).ok());
}

TEST_F(RevokerTest, ASessionsFactCoversEveryTokenOfIt) {
  const auto fact = revoker().Session(kIssuer, "s1", {});
  ASSERT_TRUE(fact.ok());
  EXPECT_EQ(fact->issued_until, revocation::kAll);
  EXPECT_EQ(fact->end_time, absl::FromUnixSeconds(kNow) + absl::Hours(720) + absl::Seconds(120));
}

TEST_F(RevokerTest, ASubjectWithoutATimeIsCoveredUpToTheLatestIatThatIsAccepted) {
  const auto fact = revoker().Subject(kIssuer, "ada", std::nullopt, {});
  ASSERT_TRUE(fact.ok());
  EXPECT_EQ(fact->issued_until, kNow + 10);
}

TEST_F(RevokerTest, IssuedUntilIsCutToTheSecondAndAtMostAMinuteAhead) {
  const absl::Time now = absl::FromUnixSeconds(kNow);
  EXPECT_EQ(revoker().Subject(kIssuer, "ada", now + absl::Milliseconds(999), {})->issued_until,
            kNow);
  EXPECT_TRUE(revoker().Subject(kIssuer, "ada", now + absl::Seconds(60), {}).ok());
  EXPECT_THAT(MessageOf(revoker().Subject(kIssuer, "ada",
                                          now + absl::Seconds(60) + absl::Nanoseconds(1), {})),
              StartsWith("subject.issued_until: "));
}

TEST_F(RevokerTest, WhereIatMayBeMissingASubjectsFactNeverEnds) {
  jose::IssuerRules rules = RulesFor(kIssuer);
  rules.allow_missing_iat = true;
  Build({rules});
  EXPECT_EQ(revoker().Subject(kIssuer, "ada", std::nullopt, {})->end_time, absl::InfiniteFuture());
  EXPECT_NE(revoker().Session(kIssuer, "s1", {})->end_time, absl::InfiniteFuture());
}

TEST_F(RevokerTest, ATargetThatCouldMatchNothingIsRefusedByItsField) {
  EXPECT_THAT(MessageOf(revoker().TokenId("", "t1", {})), StartsWith("token_id.issuer: "));
  EXPECT_THAT(MessageOf(revoker().TokenId("https://typo.example", "t1", {})),
              StartsWith("token_id.issuer: "));
  EXPECT_THAT(MessageOf(revoker().TokenId(kIssuer, "", {})), StartsWith("token_id.token_id: "));
  EXPECT_THAT(MessageOf(revoker().Session(kIssuer, "", {})), StartsWith("session.session_id: "));
  EXPECT_THAT(MessageOf(revoker().Subject(kIssuer, "", std::nullopt, {})),
              StartsWith("subject.subject: "));
  EXPECT_THAT(MessageOf(revoker().Session(kIssuer, std::string("a\0b", 3), {})),
              StartsWith("session.session_id: "));
  EXPECT_THAT(MessageOf(revoker().Session(kIssuer, std::string(1025, 'x'), {})),
              StartsWith("session.session_id: "));
}

TEST_F(RevokerTest, AReasonIs256PrintableBytesAtMost) {
  EXPECT_TRUE(revoker().Session(kIssuer, "s1", {"", std::string(256, 'x')}).ok());
  EXPECT_THAT(MessageOf(revoker().Session(kIssuer, "s1", {"", std::string(257, 'x')})),
              StartsWith("reason: "));
  EXPECT_THAT(MessageOf(revoker().Token(authorizer_->Examine(Token()), {"", "a\nb"})),
              StartsWith("reason: "));
}

}  // namespace
}  // namespace gatehouse::engine
