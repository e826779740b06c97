#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <utility>

#include "tests/frontend/server_fixture.h"
#include "tests/keys/jwks_server.h"

namespace gatehouse {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class ServerReloadTest : public ServerTest {
 protected:
  std::string Put(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  v1::Code CodeOf(const std::string& token) { return Verify(token).decision().code(); }
  v1::AuthorizeResponse Authorize(const std::string& owner) {
    v1::AuthorizeRequest request;
    request.set_token(Token());
    request.set_resource("task/1");
    request.set_owner(owner);
    request.set_action("read");
    v1::AuthorizeResponse response;
    const grpc::Status status = Call(&v1::AuthorizationService::Stub::Authorize, request, response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  static policy::Definition Everybody() {
    policy::Action read{.name = "read", .is_public = true};
    read.allow.push_back({.who = {}});
    policy::Definition out;
    out.resources.push_back({.type = "task", .actions = {read}});
    return out;
  }
};

TEST_F(ServerReloadTest, APolicyIsReplacedAndTakenBack) {
  Start();
  EXPECT_EQ(Authorize("bob").decision().code(), v1::CODE_INSUFFICIENT_PERMISSIONS);
  config_.policy = Everybody();
  ASSERT_TRUE(server_->Reload(config_).ok());
  EXPECT_EQ(Authorize("bob").decision().code(), v1::CODE_OK);
  config_.policy.reset();
  ASSERT_TRUE(server_->Reload(config_).ok());
  EXPECT_EQ(Authorize("bob").decision().code(), v1::CODE_INSUFFICIENT_PERMISSIONS);
}

TEST_F(ServerReloadTest, AReloadSaysOnlyTheWarningsThatWereNotThereBefore) {
  const auto count = [](const std::string& text, const std::string& part) {
    int found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
      ++found;
    }
    return found;
  };
  config_.warnings = {"g.yaml:9: roles.a: is old", "g.yaml:9: roles.a: is old"};
  ::testing::internal::CaptureStderr();
  Start();
  const std::string started = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(count(started, "roles.a: is old"), 1) << started;
  EXPECT_EQ(count(started, "there are no callers"), 1) << started;

  config_.warnings = {"g.yaml:12: roles.a: is old", "g.yaml:13: roles.b: is new"};
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(server_->Reload(config_).ok());
  const std::string reloaded = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(count(reloaded, "is old"), 0) << reloaded;
  EXPECT_EQ(count(reloaded, "no callers"), 0) << reloaded;
  EXPECT_EQ(count(reloaded, "g.yaml:13: roles.b: is new"), 1) << reloaded;
}

TEST_F(ServerReloadTest, ATokenThatIsRememberedIsRefusedWhenItsAudienceIsNoLongerItsIssuers) {
  Start();
  EXPECT_EQ(CodeOf(Token()), v1::CODE_OK);
  config_.issuers[0].rules.audiences = {"other"};
  ASSERT_TRUE(server_->Reload(config_).ok());
  EXPECT_EQ(CodeOf(Token()), v1::CODE_TOKEN_INVALID);
}

TEST_F(ServerReloadTest, ARevocationHoldsWhateverIsReloaded) {
  Start();
  const std::string token = Token();
  EXPECT_EQ(CodeOf(token), v1::CODE_OK);
  v1::RevokeRequest request;
  request.mutable_subject()->set_issuer(kIssuer);
  request.mutable_subject()->set_subject("ada");
  Revoke(request);
  config_.policy = Everybody();
  ASSERT_TRUE(server_->Reload(config_).ok());
  EXPECT_EQ(CodeOf(token), v1::CODE_TOKEN_REVOKED);
  config_.issuers[0].rules.skew = absl::Seconds(20);
  ASSERT_TRUE(server_->Reload(config_).ok());
  EXPECT_EQ(CodeOf(token), v1::CODE_TOKEN_REVOKED);
  EXPECT_EQ(CodeOf(Token("eve")), v1::CODE_OK);
}

TEST_F(ServerReloadTest, WhatNeedsARestartIsNamedAndNothingElseIsTaken) {
  Start();
  const int64_t before = Authorize("bob").decision().code();
  config::Config next = config_;
  next.policy = Everybody();
  next.grpc.port = 7080;
  next.http.host = "::1";
  next.health = config::Endpoint{.unix_path = "/run/gatehouse.health"};
  next.connections.max_streams = 7;
  next.drain = absl::Seconds(11);
  next.sqlite_path += "2";
  next.audit = absl::Hours(1);
  next.backups = config::BackupFolder{.path = folder_, .place = ""};
  const absl::Status refused = server_->Reload(next);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("listen.grpc: "), HasSubstr("listen.http: "),
                    HasSubstr("listen.health: is none since the start; to change it to "
                              "unix:/run/gatehouse.health needs a restart"),
                    HasSubstr("listen.connections: is max_age 10m, max_age_grace 30s, "
                              "max_streams 256 since the start"),
                    HasSubstr("listen.drain: is 10s since the start; to change it to 11s"),
                    HasSubstr("revocations.sqlite.path: "), HasSubstr("revocations.audit: "),
                    HasSubstr("revocations.backups: is none since the start"),
                    HasSubstr("needs a restart")));
  EXPECT_EQ(Authorize("bob").decision().code(), before);
  next = config_;
  next.grpc = {.unix_path = "/run/gatehouse.sock"};
  EXPECT_THAT(std::string(server_->Reload(next).message()),
              HasSubstr("listen.grpc: is 127.0.0.1:0 since the start; to change it to "
                        "unix:/run/gatehouse.sock needs a restart"));
  next = config_;
  next.keep = absl::Hours(800);
  EXPECT_TRUE(server_->Reload(next).ok());
}

TEST_F(ServerReloadTest, ASessionIsProlongedByTheKeepThatIsInForce) {
  config_.keep = absl::Hours(100);
  Start();
  v1::RevokeRequest request;
  request.mutable_session()->set_issuer(kIssuer);
  request.mutable_session()->set_session_id("s1");
  const v1::Revocation first = Revoke(request).revocation();
  config_.keep = absl::Hours(500);
  ASSERT_TRUE(server_->Reload(config_).ok());

  clock_.SetWall(absl::FromUnixSeconds(first.end_time().seconds() - 60));
  const std::string token = maker_.Sign(absl::StrCat(
      R"({"iss":")", kIssuer, R"(","aud":"api","sub":"ada","sid":"s1","iat":)",
      first.end_time().seconds() - 100, R"(,"exp":)", first.end_time().seconds() + 100, "}"));
  EXPECT_EQ(CodeOf(token), v1::CODE_TOKEN_REVOKED);
  clock_.Advance(absl::Minutes(1));

  v1::ListRevocationsResponse list;
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (list.revocations_size() < 2 && std::chrono::steady_clock::now() < patience) {
    list.Clear();
    ASSERT_TRUE(
        Call(&v1::AuthorizationService::Stub::ListRevocations, v1::ListRevocationsRequest(), list)
            .ok());
  }
  ASSERT_EQ(list.revocations_size(), 2);
  EXPECT_EQ(list.revocations(0).end_time().seconds(), first.end_time().seconds() + 500 * 3600);
}

TEST_F(ServerReloadTest, ASecretThatChangedOnDiskIsReadAnewAndOneThatDidNotKeepsItsTokens) {
  const TokenMaker old(jose::Algorithm::kHs256);
  const TokenMaker next(jose::Algorithm::kHs256);
  config_.issuers[0].rules.algorithms = {jose::Algorithm::kHs256};
  config_.issuers[0].keys = config::KeysSecret{
      .current = {.kind = config::SecretPlace::Kind::kFile, .name = Put("secret", old.secret())}};
  const auto sign = [](const TokenMaker& maker) {
    return maker.Sign(absl::StrCat(R"({"iss":")", kIssuer, R"(","aud":"api","sub":"ada","iat":)",
                                   kNow, R"(,"exp":)", kNow + 900, "}"));
  };
  Start();
  EXPECT_EQ(CodeOf(sign(old)), v1::CODE_OK);
  EXPECT_EQ(CodeOf(sign(next)), v1::CODE_TOKEN_INVALID);
  Put("secret", next.secret());
  ASSERT_TRUE(server_->Reload(config_).ok());
  EXPECT_EQ(CodeOf(sign(old)), v1::CODE_TOKEN_INVALID);
  EXPECT_EQ(CodeOf(sign(next)), v1::CODE_OK);
  Put("secret", "short");
  EXPECT_FALSE(server_->Reload(config_).ok());
  EXPECT_EQ(CodeOf(sign(next)), v1::CODE_OK);
}

TEST_F(ServerReloadTest, ACallThatWaitsForKeysEndsUnderWhatItBeganWith) {
  keys::JwksServer issuer({.status = 500});
  config::Config next = config_;
  config_.issuers[0].keys = config::KeysUrl{.url = issuer.Url()};
  Start();
  issuer.WaitForRequests(1);
  issuer.SetReply({.body = maker_.Jwks(), .hold = true});
  v1::Code waited = v1::CODE_UNSPECIFIED;
  std::thread call([&] { waited = Authorize("ada").decision().code(); });
  // Nobody but the call asks for the second time: the clock stands still.
  issuer.WaitForRequests(2);

  next.issuers[0].rules.issuer = "https://next.example";
  next.policy = Everybody();
  next.policy->resources[0].actions[0].name = "write";
  ASSERT_TRUE(server_->Reload(next).ok());
  server_->FreeReplaced();
  EXPECT_EQ(Authorize("ada").decision().code(), v1::CODE_TOKEN_INVALID);
  issuer.Release();
  call.join();
  EXPECT_EQ(waited, v1::CODE_OK);
}

TEST_F(ServerReloadTest, AConfigurationThatCouldNotBeReadChangesNothing) {
  Start();
  EXPECT_EQ(server_->Reload(absl::InvalidArgumentError("gatehouse.yaml:1: no")).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(Token()), v1::CODE_OK);
}

TEST_F(ServerReloadTest, WhatWasReplacedIsLetGoByThreadsThatNoCallComesTo) {
  Start();
  for (int reloads = 0; reloads < 3; ++reloads) {
    EXPECT_EQ(CodeOf(Token()), v1::CODE_OK);
    config_.keep += absl::Hours(1);
    ASSERT_TRUE(server_->Reload(config_).ok());
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (server_->FreeReplaced() > 0 && std::chrono::steady_clock::now() < patience) {
      std::this_thread::yield();
    }
    EXPECT_EQ(server_->FreeReplaced(), 0U);
  }
}

TEST_F(ServerReloadTest, ARetryTakesWhatHasComeAndTellsTheSameMistakeOnce) {
  Start();
  AwaitServing();  // of which the log tells first
  config::Config next = config_;
  next.policy = Everybody();
  next.issuers[0].keys = config::KeysFile{.path = folder_ / "later.json"};
  const absl::Status told = server_->Reload(next);
  EXPECT_EQ(told.code(), absl::StatusCode::kNotFound);
  const auto tell = [&](const absl::Status& before) {
    testing::internal::CaptureStderr();
    const absl::Status status = server_->Retry(next, before);
    return std::make_pair(status, testing::internal::GetCapturedStderr());
  };
  EXPECT_THAT(tell(told), Pair(told, IsEmpty()));
  EXPECT_THAT(tell(absl::NotFoundError("another")), Pair(told, HasSubstr("later.json")));
  Put("later.json", maker_.Jwks());
  EXPECT_THAT(tell(told), Pair(absl::OkStatus(), HasSubstr("configuration reloaded")));
  EXPECT_EQ(Authorize("bob").decision().code(), v1::CODE_OK);
}

}  // namespace
}  // namespace gatehouse
