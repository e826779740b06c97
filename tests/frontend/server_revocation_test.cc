// How revocations go by the clock, and what is kept from whom.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/frontend/server_fixture.h"

namespace gatehouse {
namespace {

using ::testing::StartsWith;
using Stub = v1::AuthorizationService::Stub;

class ServerRevocationTest : public ServerTest {
 protected:
  // One that lives from `from` for 15 minutes.
  std::string TokenOf(const std::string& subject, int64_t from,
                      const std::string& more = "") const {
    return maker_.Sign(absl::StrCat(R"({"iss":")", kIssuer, R"(","aud":"api","sub":")", subject,
                                    R"(","iat":)", from, R"(,"exp":)", from + 900, more, "}"));
  }

  v1::Code CodeOf(const std::string& token) { return Verify(token).decision().code(); }

  static v1::RevokeRequest Suspension(const std::string& subject, int64_t until) {
    v1::RevokeRequest request;
    request.mutable_subject()->set_issuer(kIssuer);
    request.mutable_subject()->set_subject(subject);
    request.mutable_expire_time()->set_seconds(until);
    return request;
  }

  v1::ListRevocationsResponse List(bool with_past) {
    v1::ListRevocationsRequest request;
    request.set_with_past(with_past);
    v1::ListRevocationsResponse list;
    EXPECT_TRUE(Call(&Stub::ListRevocations, request, list).ok());
    return list;
  }
};

TEST_F(ServerRevocationTest, ASuspensionEndsAtItsSecondAndIsListedAsPast) {
  Start();
  const std::string token = TokenOf("ada", kNow);
  Revoke(Suspension("ada", kNow + 300));
  clock_.Advance(absl::Seconds(299));
  EXPECT_EQ(CodeOf(token), v1::CODE_TOKEN_REVOKED);
  EXPECT_EQ(CodeOf(TokenOf("ada", kNow + 299)), v1::CODE_TOKEN_REVOKED);
  EXPECT_EQ(List(false).revocations_size(), 1);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(CodeOf(token), v1::CODE_OK);
  EXPECT_EQ(List(false).revocations_size(), 0);
  ASSERT_EQ(List(true).revocations_size(), 1);
  EXPECT_EQ(List(true).revocations(0).expire_time().seconds(), kNow + 300);
}

TEST_F(ServerRevocationTest, AKeyIsStillRevokedAYearLaterAndAfterARestart) {
  Start();
  EXPECT_EQ(CodeOf(TokenOf("ada", kNow)), v1::CODE_OK);
  v1::RevokeRequest request;
  request.mutable_key()->set_issuer(kIssuer);
  request.mutable_key()->set_key_id(maker_.kid());
  EXPECT_FALSE(Revoke(request).key_not_in_set());
  request.mutable_key()->set_key_id(maker_.kid() + "x");
  EXPECT_TRUE(Revoke(request).key_not_in_set());
  const int64_t year = int64_t{366} * 86'400;
  clock_.Advance(absl::Seconds(year));
  EXPECT_EQ(CodeOf(TokenOf("ada", kNow + year)), v1::CODE_TOKEN_REVOKED);
  Stop();
  Start();
  EXPECT_EQ(CodeOf(TokenOf("ada", kNow + year)), v1::CODE_TOKEN_REVOKED);
}

TEST_F(ServerRevocationTest, AReinstatedSuspensionIsOverAtOnceAndStaysSo) {
  Start();
  const std::string token = TokenOf("ada", kNow);
  const std::string id = Revoke(Suspension("ada", kNow + 300)).revocation().id();
  v1::ReinstateRequest request;
  request.set_id(id);
  v1::ReinstateResponse reply;
  ASSERT_TRUE(Call(&Stub::Reinstate, request, reply).ok());
  EXPECT_EQ(reply.revocation().reinstatement().actor(), "anonymous");
  EXPECT_EQ(CodeOf(token), v1::CODE_OK);
  Stop();
  Start();
  EXPECT_EQ(CodeOf(token), v1::CODE_OK);
}

TEST_F(ServerRevocationTest, TellsWhatWasRevokedOrTakenBackAlreadyAndWhatIsRefusedStill) {
  Start();
  v1::RevokeRequest lasting = Suspension("ada", 0);
  lasting.clear_expire_time();
  const v1::RevokeResponse suspended = Revoke(Suspension("ada", kNow + 300));
  EXPECT_FALSE(suspended.existed());
  EXPECT_TRUE(Revoke(Suspension("ada", kNow + 200)).existed());
  const v1::RevokeResponse revoked = Revoke(lasting);
  EXPECT_FALSE(revoked.existed());
  const auto take_back = [&](const v1::RevokeResponse& made) {
    v1::ReinstateRequest request;
    request.set_id(made.revocation().id());
    v1::ReinstateResponse reply;
    EXPECT_TRUE(Call(&Stub::Reinstate, request, reply).ok());
    return reply;
  };
  v1::ReinstateResponse reply = take_back(revoked);
  EXPECT_FALSE(reply.existed());
  EXPECT_TRUE(reply.still_revoked()) << "by the suspension";
  clock_.Advance(absl::Seconds(299));
  reply = take_back(revoked);
  EXPECT_TRUE(reply.existed());
  EXPECT_TRUE(reply.still_revoked());
  clock_.Advance(absl::Seconds(1));
  EXPECT_FALSE(take_back(revoked).still_revoked()) << "the suspension is over";
  EXPECT_FALSE(Revoke(lasting).existed());
}

TEST_F(ServerRevocationTest, ATokenIsNeverSuspended) {
  Start();
  v1::RevokeRequest request;
  request.set_token(TokenOf("ada", kNow));
  request.mutable_expire_time()->set_seconds(kNow + 300);
  v1::RevokeResponse response;
  const grpc::Status status = Call(&Stub::Revoke, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), StartsWith("expire_time: "));
  EXPECT_EQ(CodeOf(request.token()), v1::CODE_OK);
}

TEST_F(ServerRevocationTest, ImportedFactsOfUnknownIssuersAreKeptForTheDayTheyAreTrusted) {
  Start();
  v1::ImportRevocationsRequest request;
  v1::Revocation& entry = *request.add_revocations();
  entry.set_id(std::string(32, 'c'));
  entry.set_issuer("https://later.example");
  entry.mutable_session()->set_issuer("https://later.example");
  entry.mutable_session()->set_session_id("s1");
  entry.mutable_create_time()->set_seconds(kNow - 60);
  entry.mutable_end_time()->set_seconds(kNow + 86'400);
  v1::ImportRevocationsResponse reply;
  ASSERT_TRUE(Call(&Stub::ImportRevocations, request, reply).ok());
  EXPECT_EQ(reply.added(), 1);
  Stop();
  config_.issuers[0].rules.issuer = "https://later.example";
  Start();
  const std::string token = maker_.Sign(
      absl::StrCat(R"({"iss":"https://later.example","aud":"api","sub":"ada","sid":"s1","iat":)",
                   kNow, R"(,"exp":)", kNow + 900, "}"));
  EXPECT_EQ(CodeOf(token), v1::CODE_TOKEN_REVOKED);
}

}  // namespace
}  // namespace gatehouse
