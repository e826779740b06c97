#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gatehouse/v1/authorization_service.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "server/revocation/sqlite_store.h"
#include "server/server.h"
#include "tests/support/fake_clock.h"
#include "tests/support/token_maker.h"

namespace gatehouse {

inline constexpr char kIssuer[] = "https://issuer.example";
inline constexpr int64_t kNow = 1'800'000'000;

// A whole server with a real database and real ports, on a fake clock.
class ServerTest : public ::testing::Test {
 protected:
  ServerTest() : maker_(jose::Algorithm::kEdDsa) {
    folder_ = std::filesystem::temp_directory_path() / "gatehouse-server-test-XXXXXX";
    std::string name = folder_.string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    std::ofstream(folder_ / "jwks.json") << maker_.Jwks();
    config::Issuer issuer;
    issuer.rules.issuer = kIssuer;
    issuer.rules.audiences = {"api"};
    issuer.rules.algorithms = {jose::Algorithm::kEdDsa};
    issuer.keys = config::KeysFile{.path = folder_ / "jwks.json"};
    config_.grpc = {"127.0.0.1", 0};
    config_.http = {"127.0.0.1", 0};
    config_.issuers = {issuer};
    config_.sqlite_path = folder_ / "gatehouse.db";
    config_.keep = absl::Hours(720);
    EXPECT_TRUE(revocation::CreateSqliteDatabase(config_.sqlite_path).ok());
  }

  ~ServerTest() override {
    Stop();
    std::filesystem::remove_all(folder_);
  }

  void Start() {
    auto server = Server::Start(config_, clock_, {.threads = 2});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->grpc_port()),
                                   grpc::InsecureChannelCredentials());
    stub_ = v1::AuthorizationService::NewStub(channel_);
  }

  void AwaitServing() {
    using Response = grpc::health::v1::HealthCheckResponse;
    grpc::ClientContext context;
    SetDeadline(context, std::chrono::seconds(60));
    const auto stream = grpc::health::v1::Health::NewStub(channel_)->Watch(&context, {});
    Response response;
    while (response.status() != Response::SERVING) ASSERT_TRUE(stream->Read(&response));
    context.TryCancel();
  }

  void Stop() {
    stub_.reset();
    channel_.reset();
    if (server_ != nullptr) server_->Shutdown(absl::Seconds(5));
    server_.reset();
  }

  std::string Token(const std::string& subject = "ada", const std::string& more = "") const {
    return maker_.Sign(absl::StrCat(R"({"iss":")", kIssuer, R"(","aud":"api","sub":")", subject,
                                    R"(","iat":)", kNow, R"(,"exp":)", kNow + 900, more, "}"));
  }

  static void SetDeadline(grpc::ClientContext& context, std::chrono::seconds after) {
    context.set_deadline(std::chrono::system_clock::now() + after);
  }

  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (v1::AuthorizationService::Stub::*method)(grpc::ClientContext*,
                                                                           const Request&,
                                                                           Response*),
                    const Request& request, Response& response) {
    grpc::ClientContext context;
    SetDeadline(context, std::chrono::seconds(20));
    context.set_wait_for_ready(true);
    return (*stub_.*method)(&context, request, &response);
  }

  v1::VerifyResponse Verify(const std::string& token, bool with_claims = false) {
    v1::VerifyRequest request;
    request.set_token(token);
    request.set_with_claims(with_claims);
    v1::VerifyResponse response;
    const grpc::Status status = Call(&v1::AuthorizationService::Stub::Verify, request, response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  v1::RevokeResponse Revoke(const v1::RevokeRequest& request) {
    v1::RevokeResponse response;
    const grpc::Status status = Call(&v1::AuthorizationService::Stub::Revoke, request, response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  std::filesystem::path folder_;
  FakeClock clock_{absl::FromUnixSeconds(kNow)};
  TokenMaker maker_;
  config::Config config_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::AuthorizationService::Stub> stub_;
};

}  // namespace gatehouse
