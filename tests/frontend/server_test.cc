#include "server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/frontend/server_fixture.h"

namespace gatehouse {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Stub = v1::AuthorizationService::Stub;

TEST_F(ServerTest, VerifySaysWhoItIs) {
  Start();
  const v1::VerifyResponse answer = Verify(Token());
  EXPECT_EQ(answer.decision().effect(), v1::EFFECT_ALLOW);
  EXPECT_EQ(answer.decision().code(), v1::CODE_OK);
  EXPECT_EQ(answer.decision().http_status(), 200);
  EXPECT_EQ(answer.principal().subject(), "ada");
  EXPECT_EQ(answer.principal().issuer(), kIssuer);
  EXPECT_EQ(answer.principal().issue_time().seconds(), kNow);
  EXPECT_EQ(answer.principal().expire_time().seconds(), kNow + 900);
  EXPECT_EQ(answer.principal().claims(), "");
  EXPECT_EQ(answer.store_id().size(), 32u);
}

TEST_F(ServerTest, ClaimsComeOnRequestAndAsTheyStandInTheToken) {
  Start();
  const std::string token = Token("ada", R"( , "n" : 9007199254740993)");
  for (int remembered = 0; remembered < 2; ++remembered) {
    const v1::VerifyResponse answer = Verify(token, true);
    EXPECT_THAT(answer.principal().claims(), HasSubstr(R"( , "n" : 9007199254740993})"));
    EXPECT_EQ(answer.principal().subject(), "ada");
  }
}

TEST_F(ServerTest, ADeniedTokenShowsNoPrincipal) {
  Start();
  const v1::VerifyResponse answer = Verify(Token() + "x");
  EXPECT_EQ(answer.decision().effect(), v1::EFFECT_DENY);
  EXPECT_EQ(answer.decision().code(), v1::CODE_TOKEN_INVALID);
  EXPECT_EQ(answer.decision().http_status(), 401);
  EXPECT_FALSE(answer.has_principal());
  EXPECT_EQ(Verify("").decision().code(), v1::CODE_TOKEN_MISSING);
}

TEST_F(ServerTest, DecisionsHaveIdsOfTheirOwn) {
  Start();
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) ids.insert(Verify(Token()).decision().id());
  EXPECT_EQ(ids.size(), 100u);
}

TEST_F(ServerTest, AuthorizeAllowsTheOwnerOnly) {
  Start();
  v1::AuthorizeRequest request;
  request.set_token(Token());
  request.set_resource("task/7");
  request.set_owner("ada");
  v1::AuthorizeResponse response;
  ASSERT_TRUE(Call(&Stub::Authorize, request, response).ok());
  EXPECT_EQ(response.decision().code(), v1::CODE_OK);
  for (const char* owner : {"bob", "", "Ada"}) {
    request.set_owner(owner);
    ASSERT_TRUE(Call(&Stub::Authorize, request, response).ok());
    EXPECT_EQ(response.decision().code(), v1::CODE_INSUFFICIENT_PERMISSIONS) << owner;
    EXPECT_EQ(response.decision().http_status(), 403);
    EXPECT_EQ(response.principal().subject(), "ada") << "the token is good";
  }
}

TEST_F(ServerTest, AMalformedResourceIsInvalidArgumentWhateverTheToken) {
  Start();
  v1::AuthorizeRequest request;
  v1::AuthorizeResponse response;
  for (const char* resource : {"", "task", "task/", "/7"}) {
    for (const std::string& token : {Token(), std::string("x"), std::string()}) {
      request.set_token(token);
      request.set_owner("ada");
      request.set_resource(resource);
      const grpc::Status status = Call(&Stub::Authorize, request, response);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << resource;
      EXPECT_THAT(status.error_message(), StartsWith("resource: "));
    }
  }
}

TEST_F(ServerTest, EachTargetRefusesTheVeryNextCallAndAfterARestart) {
  Start();
  const std::string by_token = Token("ada");
  const std::string by_id = Token("bob", R"(,"jti":"t1")");
  const std::string by_session = Token("cyd", R"(,"sid":"s1")");
  const std::string by_subject = Token("dan");
  const std::string bystander = Token("eve", R"(,"jti":"t2","sid":"s2")");
  const std::vector<std::string> revoked = {by_token, by_id, by_session, by_subject};
  for (const std::string& token : revoked) {
    ASSERT_EQ(Verify(token).decision().code(), v1::CODE_OK);
  }
  const std::string store = Verify(bystander).store_id();

  v1::RevokeRequest request;
  request.set_token(by_token);
  EXPECT_EQ(Revoke(request).revocation().token_identity().size(), 64u);
  EXPECT_EQ(Verify(by_token).decision().code(), v1::CODE_TOKEN_REVOKED);

  request.mutable_token_id()->set_issuer(kIssuer);
  request.mutable_token_id()->set_token_id("t1");
  EXPECT_EQ(Revoke(request).revocation().token_id().token_id(), "t1");
  EXPECT_EQ(Verify(by_id).decision().code(), v1::CODE_TOKEN_REVOKED);

  request.mutable_session()->set_issuer(kIssuer);
  request.mutable_session()->set_session_id("s1");
  Revoke(request);
  EXPECT_EQ(Verify(by_session).decision().code(), v1::CODE_TOKEN_REVOKED);

  request.mutable_subject()->set_issuer(kIssuer);
  request.mutable_subject()->set_subject("dan");
  const v1::RevokeResponse last = Revoke(request);
  EXPECT_EQ(last.revocation().subject().issued_until().seconds(), kNow + 10);
  EXPECT_EQ(Verify(by_subject).decision().code(), v1::CODE_TOKEN_REVOKED);
  EXPECT_EQ(last.store_id(), store);
  EXPECT_GE(Verify(bystander).revision(), last.revision());

  Stop();
  Start();
  for (const std::string& token : revoked) {
    EXPECT_EQ(Verify(token).decision().code(), v1::CODE_TOKEN_REVOKED);
  }
  EXPECT_EQ(Verify(bystander).decision().code(), v1::CODE_OK);
  EXPECT_EQ(Verify(bystander).store_id(), store);
  EXPECT_EQ(Verify(bystander).revision(), last.revision());
}

TEST_F(ServerTest, RevokingAgainGivesTheOneInForce) {
  Start();
  v1::RevokeRequest request;
  request.set_token(Token());
  const v1::RevokeResponse first = Revoke(request);
  const v1::RevokeResponse again = Revoke(request);
  EXPECT_EQ(again.revocation().id(), first.revocation().id());
  EXPECT_EQ(again.revision(), first.revision());

  request.mutable_session()->set_issuer(kIssuer);
  request.mutable_session()->set_session_id("s1");
  const v1::RevokeResponse session = Revoke(request);
  EXPECT_EQ(Revoke(request).revocation().id(), session.revocation().id());
}

TEST_F(ServerTest, ARevocationThatCannotReachAnythingWritesNothing) {
  Start();
  v1::RevokeRequest request;
  v1::RevokeResponse response;
  const auto refused = [&](const char* field) {
    const grpc::Status status = Call(&Stub::Revoke, request, response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << field;
    EXPECT_THAT(status.error_message(), StartsWith(field));
  };
  refused("target: ");
  request.set_token("garbage");
  refused("token: ");
  request.mutable_session()->set_session_id("s1");
  refused("session.issuer: ");
  request.mutable_subject()->set_issuer(kIssuer);
  request.mutable_subject()->set_subject("ada");
  request.mutable_subject()->mutable_issued_until()->set_seconds(kNow + 61);
  refused("subject.issued_until: ");
  request.mutable_subject()->mutable_issued_until()->set_seconds(kNow);
  request.set_reason("a\nb");
  refused("reason: ");
  v1::ListRevocationsResponse list;
  ASSERT_TRUE(Call(&Stub::ListRevocations, v1::ListRevocationsRequest(), list).ok());
  EXPECT_EQ(list.revocations_size(), 0);
  EXPECT_EQ(list.revision(), 0);
}

TEST_F(ServerTest, RevocationsAreListedNewestFirstInPages) {
  Start();
  v1::RevokeRequest request;
  request.mutable_session()->set_issuer(kIssuer);
  for (int i = 0; i < 5; ++i) {
    request.mutable_session()->set_session_id("s" + std::to_string(i));
    request.set_reason("because " + std::to_string(i));
    Revoke(request);
  }
  std::vector<std::string> seen;
  v1::ListRevocationsRequest page;
  page.set_page_size(2);
  do {
    v1::ListRevocationsResponse list;
    ASSERT_TRUE(Call(&Stub::ListRevocations, page, list).ok());
    EXPECT_LE(list.revocations_size(), 2);
    for (const v1::Revocation& one : list.revocations()) {
      seen.push_back(one.session().session_id());
      EXPECT_EQ(one.reason(), "because " + one.session().session_id().substr(1));
      EXPECT_EQ(one.create_time().seconds(), kNow);
      EXPECT_EQ(one.actor(), "anonymous");
    }
    page.set_page_token(list.next_page_token());
  } while (!page.page_token().empty());
  EXPECT_THAT(seen, ::testing::ElementsAre("s4", "s3", "s2", "s1", "s0"));
}

TEST_F(ServerTest, ATokenOf64KiBIsInvalidAndARequestOver128KiBIsTooMuch) {
  Start();
  EXPECT_EQ(Verify(std::string(64 * 1024, 'a')).decision().code(), v1::CODE_TOKEN_INVALID);
  v1::VerifyRequest request;
  request.set_token(std::string(128 * 1024, 'a'));
  v1::VerifyResponse response;
  EXPECT_EQ(Call(&Stub::Verify, request, response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Verify(Token()).decision().code(), v1::CODE_OK);
}

TEST_F(ServerTest, AnUnknownKidOfAFileIsInvalid) {
  Start();
  const TokenMaker stranger(jose::Algorithm::kEdDsa);
  const std::string token =
      stranger.Sign(absl::StrCat(R"({"iss":")", kIssuer, R"(","aud":"api","sub":"ada","iat":)",
                                 kNow, R"(,"exp":)", kNow + 900, "}"));
  EXPECT_EQ(Verify(token).decision().code(), v1::CODE_TOKEN_INVALID);
}

TEST_F(ServerTest, AnIssuerThatCannotBeReachedMakesUnavailableAndNeverABadToken) {
  // Port 1 of loopback: nobody listens there.
  config_.issuers[0].keys = config::KeysUrl{.url = "http://127.0.0.1:1/jwks"};
  Start();
  v1::VerifyRequest request;
  request.set_token(Token());
  v1::VerifyResponse response;
  const grpc::Status status = Call(&Stub::Verify, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr(kIssuer));
}

TEST_F(ServerTest, EndsWhileCallsWaitForKeys) {
  config_.issuers[0].keys = config::KeysUrl{.url = "http://127.0.0.1:1/jwks"};
  Start();
  std::vector<std::thread> callers;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      v1::VerifyRequest request;
      request.set_token(Token());
      v1::VerifyResponse response;
      grpc::ClientContext context;
      SetDeadline(context, std::chrono::seconds(20));
      EXPECT_FALSE(stub_->Verify(&context, request, &response).ok());
      ++answered;
    });
  }
  server_->Shutdown(absl::Seconds(5));
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(answered, 8);
  stub_.reset();
  channel_.reset();
  server_.reset();
}

TEST_F(ServerTest, ManyRevokersAtOnceAreEachAcknowledgedOnce) {
  Start();
  std::vector<std::thread> threads;
  std::atomic<int> acknowledged = 0;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        v1::RevokeRequest request;
        request.mutable_token_id()->set_issuer(kIssuer);
        request.mutable_token_id()->set_token_id(absl::StrCat("t", t, "-", i));
        acknowledged += Revoke(request).revocation().id().size() == 32 ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(acknowledged, 320);
  EXPECT_EQ(Verify(Token()).revision(), 320);
}

TEST_F(ServerTest, APortInUseIsNamed) {
  Start();
  config::Config second = config_;
  second.sqlite_path = folder_ / "second.db";
  ASSERT_TRUE(revocation::CreateSqliteDatabase(second.sqlite_path).ok());
  second.grpc.port = static_cast<uint16_t>(server_->grpc_port());
  const auto started = Server::Start(second, clock_);
  EXPECT_EQ(started.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(started.status().message()),
              HasSubstr(absl::StrCat("127.0.0.1:", server_->grpc_port())));
}

TEST_F(ServerTest, AMissingDatabaseIsNotMade) {
  std::filesystem::remove(config_.sqlite_path);
  const auto started = Server::Start(config_, clock_);
  EXPECT_EQ(started.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(started.status().message()), HasSubstr("--create-database"));
  EXPECT_FALSE(std::filesystem::exists(config_.sqlite_path));
}

TEST_F(ServerTest, ASecondServerOnTheSameDatabaseIsRefused) {
  Start();
  const auto second = Server::Start(config_, clock_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Verify(Token()).decision().code(), v1::CODE_OK);
}

}  // namespace
}  // namespace gatehouse
