#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "envoy/service/auth/v3/external_auth.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "server/frontend/wire.h"
#include "tests/frontend/ext_authz_fixture.h"
#include "tests/keys/jwks_server.h"

namespace gatehouse {
namespace {

using envoy::service::auth::v3::CheckRequest;
using envoy::service::auth::v3::CheckResponse;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST_F(ExtAuthzTest, AnAllowedRequestIsGivenItsIdentity) {
  Begin();
  const std::string token = Token("ada", R"(,"roles":["dev","ops"])");
  const CheckResponse response = Check(Ask("/api/ada/tasks/1?x=y", "Bearer " + token));
  ASSERT_EQ(StatusOf(response), 200);
  EXPECT_THAT(Values(response.ok_response().headers()),
              UnorderedElementsAre(Pair("x-auth-subject", "ada"), Pair("x-auth-roles", "dev,ops")));
  EXPECT_THAT(response.ok_response().headers_to_remove(), UnorderedElementsAre("x-auth-tenant"));
  EXPECT_THAT(Values(response.ok_response().response_headers_to_add()),
              UnorderedElementsAre(Pair("x-content-type-options", "nosniff")));
  const auto& metadata = response.dynamic_metadata().fields();
  EXPECT_EQ(metadata.at("subject").string_value(), "ada");
  EXPECT_EQ(metadata.at("issuer").string_value(), kIssuer);
  EXPECT_EQ(metadata.at("route").string_value(), "/api/{owner}/tasks/{id}");
  EXPECT_EQ(metadata.at("decision_id").string_value().size(), 24U);
  EXPECT_EQ(metadata.at("code").string_value(), "OK");
  ASSERT_EQ(metadata.at("roles").list_value().values_size(), 2);
  EXPECT_EQ(metadata.at("roles").list_value().values(0).string_value(), "dev");
  EXPECT_EQ(metadata.at("roles").list_value().values(1).string_value(), "ops");
  EXPECT_EQ(metadata.count("tenant"), 0U);
}

TEST_F(ExtAuthzTest, ADenialHasABodyAndAChallenge) {
  Begin();
  const CheckResponse response = Check(Ask("/me", "Bearer x"));
  EXPECT_EQ(response.status().code(), 16);
  EXPECT_EQ(response.denied_response().status().code(), 401);
  EXPECT_EQ(response.denied_response().body(),
            R"({"detail":"The token is not valid.","code":"TOKEN_INVALID","status":401})");
  EXPECT_THAT(Values(response.denied_response().headers()),
              UnorderedElementsAre(
                  Pair("content-type", "application/json"), Pair("cache-control", "no-store"),
                  Pair("x-content-type-options", "nosniff"),
                  Pair("www-authenticate", R"(Bearer realm="gatehouse", error="invalid_token")")));
  EXPECT_EQ(response.dynamic_metadata().fields().at("code").string_value(), "TOKEN_INVALID");
}

TEST_F(ExtAuthzTest, EachOutcomeHasItsStatus) {
  Begin();
  const std::string bearer = "Bearer " + Token();
  const auto both = [this](const CheckRequest& request) {
    const CheckResponse response = Check(request);
    return std::make_pair(response.status().code(), StatusOf(response));
  };
  EXPECT_EQ(both(Ask("/public/x")), std::make_pair(0, 200));
  EXPECT_EQ(both(Ask("/me", bearer)), std::make_pair(0, 200));
  EXPECT_EQ(both(Ask("/me")), std::make_pair(16, 401));
  EXPECT_EQ(both(Ask("/api/eve/tasks/1", bearer)), std::make_pair(7, 403));
  EXPECT_EQ(both(Ask("/nowhere", bearer)), std::make_pair(7, 403));
  EXPECT_EQ(both(Ask("/me/../public/x", bearer)), std::make_pair(3, 400));
  CheckRequest mesh = Ask("/mesh");
  EXPECT_EQ(both(mesh), std::make_pair(7, 403));
  mesh.mutable_attributes()->mutable_source()->set_principal("spiffe://e/a");
  EXPECT_EQ(both(mesh), std::make_pair(0, 200));
}

TEST_F(ExtAuthzTest, ARevokedTokenIsRefusedAtOnce) {
  Begin();
  const CheckRequest request = Ask("/me", "Bearer " + Token());
  EXPECT_EQ(StatusOf(Check(request)), 200);
  v1::RevokeRequest revoke;
  revoke.set_token(Token());
  Revoke(revoke);
  const CheckResponse response = Check(request);
  EXPECT_EQ(StatusOf(response), 401);
  EXPECT_THAT(response.denied_response().body(), ::testing::HasSubstr("TOKEN_REVOKED"));
}

TEST_F(ExtAuthzTest, WhatDoesNotTellOfARequestIsBad) {
  Begin();
  EXPECT_EQ(StatusOf(Check(CheckRequest())), 400);
  CheckRequest no_http;
  no_http.mutable_attributes()->mutable_request();
  EXPECT_EQ(StatusOf(Check(no_http)), 400);
  no_http.mutable_attributes()->mutable_request()->mutable_http();
  EXPECT_EQ(StatusOf(Check(no_http)), 400) << "nothing in it";
}

TEST_F(ExtAuthzTest, ARequestThatCanBeReadInTwoWaysIsBad) {
  Begin();
  const std::string bearer = "Bearer " + Token();
  const auto bad = [&](auto change) {
    CheckRequest request = Ask("/me", bearer);
    change(request);
    const CheckResponse response = Check(request);
    EXPECT_EQ(response.status().code(), 3);
    return StatusOf(response);
  };
  EXPECT_EQ(bad([](auto& r) { Http(r).set_method("get"); }), 400);
  EXPECT_EQ(bad([](auto& r) { Http(r).set_path("http://api.example.com/me"); }), 400);
  EXPECT_EQ(bad([](auto& r) { Http(r).set_path("/me\xFF"); }), 400);
  EXPECT_EQ(bad([](auto& r) { Http(r).set_path("/%FF"); }), 400);
  EXPECT_EQ(bad([](auto& r) { Http(r).set_host("a,b"); }), 400);
  EXPECT_EQ(bad([&](auto& r) { AddHeader(r, "authorization", bearer); }), 400);
  EXPECT_EQ(bad([&](auto& r) { Http(r).mutable_headers(0)->set_value(bearer + "," + bearer); }),
            400);
  EXPECT_EQ(bad([](auto& r) { AddHeader(r, "X-HTTP-Method-Override", "DELETE"); }), 400);
  EXPECT_EQ(bad([](auto& r) { AddHeader(r, "x", std::string(100 * 1024, 'x')); }), 400);
  EXPECT_EQ(bad([](auto& r) {
              for (int i = 0; i < 1024; ++i) AddHeader(r, "x", std::string(100, 'x'));
            }),
            400);
  EXPECT_EQ(bad([](auto& r) { Http(r).mutable_header_map()->add_headers()->set_key("a"); }), 400)
      << "headers in both forms";
}

TEST_F(ExtAuthzTest, RawHeadersAreRead) {
  Begin();
  CheckRequest request = Ask("/me");
  auto* const header = Http(request).mutable_header_map()->add_headers();
  header->set_key("authorization");
  header->set_raw_value("Bearer " + Token());
  EXPECT_EQ(StatusOf(Check(request)), 200);
  header->set_value("Bearer " + Token());
  EXPECT_EQ(StatusOf(Check(request)), 400) << "two values";
  header->clear_raw_value();
  EXPECT_EQ(StatusOf(Check(request)), 200);
  *Http(request).mutable_header_map()->add_headers() = *header;
  EXPECT_EQ(StatusOf(Check(request)), 400) << "two of them";
}

TEST_F(ExtAuthzTest, BytesThatAreNoMessageAreBad) {
  Begin();
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  SetDeadline(context, kDeadline);
  const grpc::Slice garbage("\xFF\xFF\xFF");
  const grpc::ByteBuffer request(&garbage, 1);
  auto call = stub.PrepareUnaryCall(&context, "/envoy.service.auth.v3.Authorization/Check", request,
                                    &queue);
  call->StartCall();
  grpc::ByteBuffer reply;
  grpc::Status status;
  call->Finish(&reply, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  ASSERT_TRUE(status.ok()) << status.error_message();
  CheckResponse response;
  ASSERT_TRUE(frontend::Parse(reply, response).ok());
  EXPECT_EQ(StatusOf(response), 400);
}

TEST_F(ExtAuthzTest, ALongQuestionAboutANewTokenIsAnswered) {
  Begin();
  CheckRequest request = Ask("/me", "Bearer " + Token());
  // The body, as with_request_body has Envoy send it.
  CheckRequest with_body = request;
  auto& http = Http(with_body);
  http.GetReflection()->MutableUnknownFields(&http)->AddLengthDelimited(
      11, std::string(size_t{120} * 1024, 'x'));
  ASSERT_GT(with_body.ByteSizeLong(), size_t{120} * 1024);
  EXPECT_EQ(StatusOf(Check(with_body)), 200);
  EXPECT_EQ(StatusOf(Check(request)), 200);
}

TEST_F(ExtAuthzTest, AnUnknownKidWithinTheCooldownIsGivenUp) {
  const keys::JwksServer keys({.body = maker_.Jwks()});
  config_.issuers[0].keys = config::KeysUrl{.url = keys.Url()};
  Begin();
  EXPECT_EQ(StatusOf(Check(Ask("/me", "Bearer " + Token()))), 200);
  // The clock stands still, so the cooldown never ends.
  const TokenMaker stranger(jose::Algorithm::kEdDsa);
  const std::string forged =
      stranger.Sign(absl::StrCat(R"({"iss":")", kIssuer, R"(","aud":"api","sub":"ada","iat":)",
                                 kNow, R"(,"exp":)", kNow + 900, "}"));
  for (int i = 0; i < 3; ++i) {
    const bool with_deadline = i != 2;
    const int status = StatusOf(Check(Ask("/me", "Bearer " + forged), "", with_deadline));
    EXPECT_TRUE(status == 503 || (i == 0 && status == 401)) << i << ": " << status;
  }
}

TEST_F(ExtAuthzTest, EndsWhileChecksWaitForKeys) {
  config_.issuers[0].keys = config::KeysUrl{.url = "http://127.0.0.1:1/jwks"};
  Begin();
  std::vector<std::thread> callers;
  std::atomic<int> passed = 0;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      grpc::ClientContext context;
      SetDeadline(context, kDeadline);
      CheckResponse response;
      const grpc::Status status =
          envoy_->Check(&context, Ask("/me", "Bearer " + Token()), &response);
      if (status.ok() && response.has_ok_response()) ++passed;
    });
  }
  server_->Shutdown(absl::Seconds(5));
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(passed, 0);
  envoy_.reset();
  stub_.reset();
  channel_.reset();
  server_.reset();
}

TEST_F(ExtAuthzTest, UnderAFloodOfNewTokensEveryAnswerIsOkOutside) {
  Begin();
  constexpr int kThreads = 64;
  constexpr int kCallsOfEach = 30;
  const TokenMaker stranger(jose::Algorithm::kEdDsa, maker_.kid());
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCallsOfEach; ++i) {
        const std::string forged =
            stranger.Sign(absl::StrCat(R"({"iss":")", kIssuer, R"(","aud":"api","sub":"s)", t, "-",
                                       i, R"(","iat":)", kNow, R"(,"exp":)", kNow + 900, "}"));
        grpc::ClientContext context;
        SetDeadline(context, kDeadline);
        CheckResponse response;
        const bool ok = envoy_->Check(&context, Ask("/me", "Bearer " + forged), &response).ok();
        const int status = response.denied_response().status().code();
        if (!ok || (status != 401 && status != 503)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ExtAuthzTest, HealthKnowsIt) {
  Begin();
  Check(Ask("/me", "Bearer " + Token()));
  grpc::health::v1::HealthCheckRequest request;
  request.set_service("envoy.service.auth.v3.Authorization");
  grpc::health::v1::HealthCheckResponse response;
  grpc::ClientContext context;
  SetDeadline(context, kDeadline);
  // It may be told a moment after the ports are open that it is ready.
  const auto stub = grpc::health::v1::Health::NewStub(channel_);
  const auto watched = stub->Watch(&context, request);
  while (response.status() != grpc::health::v1::HealthCheckResponse::SERVING) {
    ASSERT_TRUE(watched->Read(&response)) << "not serving within the deadline";
  }
  context.TryCancel();
}

TEST_F(ExtAuthzTest, ReflectionKnowsIt) {
  Begin();
  grpc::ClientContext context;
  SetDeadline(context, kDeadline);
  const auto stub = grpc::reflection::v1::ServerReflection::NewStub(channel_);
  auto stream = stub->ServerReflectionInfo(&context);
  grpc::reflection::v1::ServerReflectionRequest request;
  request.set_file_containing_symbol("envoy.service.auth.v3.Authorization");
  ASSERT_TRUE(stream->Write(request));
  stream->WritesDone();
  grpc::reflection::v1::ServerReflectionResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_GT(response.file_descriptor_response().file_descriptor_proto_size(), 0);
  EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace
}  // namespace gatehouse
