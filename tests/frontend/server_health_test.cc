#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "tests/frontend/server_fixture.h"

namespace gatehouse {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr char kService[] = "gatehouse.v1.AuthorizationService";

class ServerHealthTest : public ServerTest {
 protected:
  // Reads until the status is `wanted`; false if the stream ends before.
  static bool ReadUntil(grpc::ClientReader<HealthCheckResponse>& stream,
                        HealthCheckResponse::ServingStatus wanted) {
    HealthCheckResponse response;
    while (stream.Read(&response)) {
      if (response.status() == wanted) return true;
    }
    return false;
  }
};

TEST_F(ServerHealthTest, TheServerTheServiceAndTheIssuerServeUntilShutdown) {
  Start();
  const auto health = Health::NewStub(channel_);
  const std::vector<std::string> names = {"", kService, kIssuer, "readiness"};
  std::vector<grpc::ClientContext> contexts(names.size());
  std::vector<std::unique_ptr<grpc::ClientReader<HealthCheckResponse>>> streams;
  HealthCheckRequest request;
  HealthCheckResponse response;
  for (size_t i = 0; i < names.size(); ++i) {
    SetDeadline(contexts[i], std::chrono::seconds(60));
    request.set_service(names[i]);
    streams.push_back(health->Watch(&contexts[i], request));
    EXPECT_TRUE(ReadUntil(*streams.back(), HealthCheckResponse::SERVING)) << names[i];
    grpc::ClientContext context;
    EXPECT_TRUE(health->Check(&context, request, &response).ok());
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING) << names[i];
  }
  // Longer than any test may take: the streams must end by themselves.
  server_->Shutdown(absl::Hours(1));
  server_.reset();
  for (auto& stream : streams) {
    EXPECT_TRUE(ReadUntil(*stream, HealthCheckResponse::NOT_SERVING));
    EXPECT_FALSE(stream->Read(&response));
  }
}

TEST_F(ServerHealthTest, AnIssuerWithoutKeysIsNotServing) {
  // Port 1 of loopback: nobody listens there.
  config_.issuers[0].keys = config::KeysUrl{.url = "http://127.0.0.1:1/jwks"};
  Start();
  HealthCheckRequest request;
  request.set_service(kIssuer);
  grpc::ClientContext context;
  SetDeadline(context, std::chrono::seconds(60));
  const auto stream = Health::NewStub(channel_)->Watch(&context, request);
  EXPECT_TRUE(ReadUntil(*stream, HealthCheckResponse::NOT_SERVING));
  context.TryCancel();
}

TEST_F(ServerHealthTest, ReflectionKnowsTheService) {
  Start();
  const auto stub = grpc::reflection::v1alpha::ServerReflection::NewStub(channel_);
  grpc::ClientContext context;
  SetDeadline(context, std::chrono::seconds(60));
  const auto stream = stub->ServerReflectionInfo(&context);
  grpc::reflection::v1alpha::ServerReflectionRequest request;
  request.set_file_containing_symbol(kService);
  grpc::reflection::v1alpha::ServerReflectionResponse response;
  EXPECT_TRUE(stream->Write(request));
  EXPECT_TRUE(stream->Read(&response));
  EXPECT_GT(response.file_descriptor_response().file_descriptor_proto_size(), 1);
  server_->Shutdown(absl::Hours(1));
  server_.reset();
  EXPECT_FALSE(stream->Read(&response));
}

}  // namespace
}  // namespace gatehouse
