#include "server/engine/revoker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/engine/engine_fixture.h"

namespace gatehouse::engine {
namespace {

using revocation::TagKind;
using ::testing::StartsWith;

class RevokerTest : public EngineTest {
 protected:
  Revoker revoker() const { return Revoker(*authorizer_, absl::Hours(720), clock_); }
  absl::StatusOr<revocation::NewFact> Session(absl::string_view issuer, absl::string_view id,
                                              Revoker::Note note = {}) const {
    return revoker().Named({.kind = TagKind::kSession, .issuer = issuer, .value = id},
                           std::move(note));
  }
  absl::StatusOr<revocation::NewFact> Subject(absl::string_view value,
                                              std::optional<absl::Time> issued_until = {}) const {
    return Of(TagKind::kSubject, value, issued_until);
  }
  absl::StatusOr<revocation::NewFact> Of(TagKind kind, absl::string_view value,
                                         std::optional<absl::Time> issued_until = {},
                                         std::optional<absl::Time> expire_time = {}) const {
    return revoker().Named({.kind = kind,
                            .issuer = kIssuer,
                            .value = value,
                            .issued_until = issued_until,
                            .expire_time = expire_time},
                           {});
  }
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

TEST_F(RevokerTest, ATokenThatIsNotGoodYetCanBeRevokedAndIsRevokedWhenItsTimeComes) {
  const std::string token = Token(kNow + 300, kNow + 1200);
  const Examination early = authorizer_->Examine(token);
  ASSERT_EQ(early.code, policy::Code::kTokenInvalid);
  const auto fact = revoker().Token(early, {});
  ASSERT_TRUE(fact.ok()) << fact.status();
  EXPECT_EQ(fact->end_time, absl::FromUnixSeconds(kNow + 1200 + 120));
  Commit(fact->tag, revocation::MarksOf(*fact));
  clock_.SetWall(absl::FromUnixSeconds(kNow + 300));
  EXPECT_EQ(authorizer_->Examine(token).code, policy::Code::kTokenRevoked);
}

TEST_F(RevokerTest, ASessionsFactCoversEveryTokenOfIt) {
  const auto fact = Session(kIssuer, "s1");
  ASSERT_TRUE(fact.ok());
  EXPECT_EQ(fact->issued_until, revocation::kAll);
  const absl::Time least = absl::FromUnixSeconds(kNow) + absl::Hours(720) + absl::Seconds(120);
  EXPECT_GE(fact->end_time, least);
  EXPECT_LE(fact->end_time, least + absl::Hours(1));
}

TEST_F(RevokerTest, TokenMintedAfterItsSessionWasRevokedIsRefused) {
  const auto fact = Session(kIssuer, "s1");
  ASSERT_TRUE(fact.ok());
  Commit(fact->tag, revocation::MarksOf(*fact));
  for (const int64_t later : {int64_t{0}, int64_t{1}, int64_t{3600}, int64_t{29} * 86'400}) {
    clock_.SetWall(absl::FromUnixSeconds(kNow + later));
    EXPECT_EQ(authorizer_->Examine(Token(kNow + later, kNow + later + 900)).code,
              policy::Code::kTokenRevoked)
        << later << " s later";
  }
}

TEST_F(RevokerTest, TheSameRevocationWithinTheHourEndsAtTheSameTime) {
  const absl::Time end = Session(kIssuer, "s1")->end_time;
  clock_.Advance(absl::Minutes(10));
  EXPECT_EQ(Session(kIssuer, "s1")->end_time, end);
  clock_.Advance(absl::Hours(1));
  EXPECT_GT(Session(kIssuer, "s1")->end_time, end);
}

TEST_F(RevokerTest, ASubjectsTimeFurtherBackThanRevocationsAreKeptIsRefused) {
  const absl::Time oldest = absl::FromUnixSeconds(kNow) - absl::Hours(720) - absl::Seconds(120);
  EXPECT_TRUE(Subject("ada", oldest).ok());
  EXPECT_THAT(MessageOf(Subject("ada", oldest - absl::Nanoseconds(1))),
              StartsWith("subject.issued_until: "));
}

// What a token may say can be revoked, and the other way round.
TEST_F(RevokerTest, AnIdIsAcceptedInATokenIfAndOnlyIfItCanBeRevoked) {
  for (const std::string& subject :
       {std::string(1024, 'x'), std::string(1025, 'x'), std::string(R"(a\u0085b)"),
        std::string(R"(a\u00a0b)"), std::string(R"(a\u007fb)")}) {
    std::string text = subject;  // as the JSON says it
    for (const auto& [escape, raw] :
         {std::pair(R"(\u0085)", "\xC2\x85"), std::pair(R"(\u00a0)", "\xC2\xA0"),
          std::pair(R"(\u007f)", "\x7F")}) {
      const size_t at = text.find(escape);
      if (at != std::string::npos) text.replace(at, 6, raw);
    }
    const std::string token =
        maker_.Sign(absl::StrCat(R"({"iss":")", kIssuer, R"(","aud":"api","sub":")", subject,
                                 R"(","iat":)", kNow, R"(,"exp":)", kNow + 900, "}"));
    EXPECT_EQ(authorizer_->Examine(token).code == policy::Code::kOk, Subject(text).ok())
        << subject.substr(0, 20);
  }
}

TEST_F(RevokerTest, ASubjectWithoutATimeIsCoveredUpToTheLatestIatThatIsAccepted) {
  const auto fact = Subject("ada");
  ASSERT_TRUE(fact.ok());
  EXPECT_EQ(fact->issued_until, kNow + 10);
}

TEST_F(RevokerTest, IssuedUntilIsCutToTheSecondAndAtMostAMinuteAhead) {
  const absl::Time now = absl::FromUnixSeconds(kNow);
  EXPECT_EQ(Subject("ada", now + absl::Milliseconds(999))->issued_until, kNow);
  EXPECT_TRUE(Subject("ada", now + absl::Seconds(60)).ok());
  EXPECT_THAT(MessageOf(Subject("ada", now + absl::Seconds(60) + absl::Nanoseconds(1))),
              StartsWith("subject.issued_until: "));
}

TEST_F(RevokerTest, ATenantOrClientIsCoveredAsASubjectIs) {
  for (const TagKind kind : {TagKind::kTenant, TagKind::kClient}) {
    const auto fact = Of(kind, "acme");
    ASSERT_TRUE(fact.ok()) << fact.status();
    EXPECT_EQ(fact->issued_until, kNow + 10);
    EXPECT_FALSE(fact->suspends);
    EXPECT_NE(fact->end_time, absl::InfiniteFuture());
  }
  EXPECT_THAT(MessageOf(Of(TagKind::kTenant, "")), StartsWith("tenant.tenant: "));
  EXPECT_THAT(MessageOf(Of(TagKind::kClient, "")), StartsWith("client.client_id: "));
}

TEST_F(RevokerTest, AKeyIsRevokedForEver) {
  const auto fact = Of(TagKind::kKey, "k1");
  ASSERT_TRUE(fact.ok()) << fact.status();
  EXPECT_EQ(fact->issued_until, revocation::kAll);
  EXPECT_EQ(fact->end_time, absl::InfiniteFuture());
  EXPECT_THAT(MessageOf(Of(TagKind::kKey, "k1", {}, absl::FromUnixSeconds(kNow) + absl::Hours(1))),
              StartsWith("expire_time: "));
}

TEST_F(RevokerTest, ASuspensionCoversEveryTokenAndEndsWhenItSays) {
  const absl::Time end = absl::FromUnixSeconds(kNow) + absl::Hours(1);
  for (const TagKind kind : {TagKind::kTokenId, TagKind::kSession, TagKind::kSubject,
                             TagKind::kTenant, TagKind::kClient}) {
    const auto fact = Of(kind, "x", {}, end);
    ASSERT_TRUE(fact.ok()) << fact.status();
    EXPECT_TRUE(fact->suspends);
    EXPECT_EQ(fact->issued_until, revocation::kAll);
    EXPECT_EQ(fact->end_time, end);
  }
}

TEST_F(RevokerTest, ASuspensionMustLieAheadByTenYearsAtMostAndNamesNoIssuedUntil) {
  const absl::Time now = absl::FromUnixSeconds(kNow);
  EXPECT_THAT(MessageOf(Of(TagKind::kSubject, "ada", {}, now)), StartsWith("expire_time: "));
  EXPECT_TRUE(Of(TagKind::kSubject, "ada", {}, now + absl::Nanoseconds(1)).ok());
  EXPECT_TRUE(Of(TagKind::kSubject, "ada", {}, now + absl::Hours(24 * 3660)).ok());
  EXPECT_THAT(
      MessageOf(Of(TagKind::kSubject, "ada", {}, now + absl::Hours(24 * 3660) + absl::Seconds(1))),
      StartsWith("expire_time: "));
  EXPECT_THAT(MessageOf(Of(TagKind::kSubject, "ada", now, now + absl::Hours(1))),
              StartsWith("expire_time: "));
}

TEST_F(RevokerTest, WhereIatMayBeMissingNoFactEverEnds) {
  jose::IssuerRules rules = RulesFor(kIssuer);
  rules.allow_missing_iat = true;
  Build({rules});
  EXPECT_EQ(Subject("ada")->end_time, absl::InfiniteFuture());
  EXPECT_EQ(Session(kIssuer, "s1")->end_time, absl::InfiniteFuture());
  EXPECT_EQ(Of(TagKind::kTokenId, "t1")->end_time, absl::InfiniteFuture());
}

TEST_F(RevokerTest, ATargetThatCouldMatchNothingIsRefusedByItsField) {
  EXPECT_THAT(
      MessageOf(revoker().Named({.kind = TagKind::kTokenId, .issuer = "", .value = "t1"}, {})),
      StartsWith("token_id.issuer: "));
  EXPECT_THAT(
      MessageOf(revoker().Named(
          {.kind = TagKind::kTokenId, .issuer = "https://typo.example", .value = "t1"}, {})),
      StartsWith("token_id.issuer: "));
  EXPECT_THAT(MessageOf(Of(TagKind::kTokenId, "")), StartsWith("token_id.token_id: "));
  EXPECT_THAT(MessageOf(Session(kIssuer, "")), StartsWith("session.session_id: "));
  EXPECT_THAT(MessageOf(Subject("")), StartsWith("subject.subject: "));
  EXPECT_THAT(MessageOf(Session(kIssuer, std::string("a\0b", 3))),
              StartsWith("session.session_id: "));
  EXPECT_THAT(MessageOf(Session(kIssuer, std::string(1025, 'x'))),
              StartsWith("session.session_id: "));
}

TEST_F(RevokerTest, AReasonIs256PrintableBytesAtMost) {
  EXPECT_TRUE(Session(kIssuer, "s1", {"", std::string(256, 'x')}).ok());
  EXPECT_THAT(MessageOf(Session(kIssuer, "s1", {"", std::string(257, 'x')})),
              StartsWith("reason: "));
  EXPECT_THAT(MessageOf(revoker().Token(authorizer_->Examine(Token()), {"", "a\nb"})),
              StartsWith("reason: "));
}

}  // namespace
}  // namespace gatehouse::engine
