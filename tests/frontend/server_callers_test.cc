#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/frontend/server_fixture.h"

namespace gatehouse {
namespace {

using config::Right;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Stub = v1::AuthorizationService::Stub;

constexpr char kAsker[] = "q7Zp2vX9rT4mK1wB8nY5cF3hJ6sD0gLe";
constexpr char kAdmin[] = "u3Xk8Rz1Vt6Nq9Ws4Ym7Bc2Hp5Jd0FgL";

class ServerCallersTest : public ServerTest {
 protected:
  ServerCallersTest() {
    Add("asker", kAsker, {Right::kVerify, Right::kAuthorize});
    Add("admin", kAdmin, {Right::kVerify, Right::kExplain, Right::kRevoke, Right::kList});
  }

  void Add(const std::string& name, const std::string& token, std::vector<Right> may) {
    const std::string file = folder_ / (name + ".token");
    std::ofstream(file) << token << "\n";
    config_.callers.push_back(
        {.name = name, .token_file = file, .may = std::move(may), .audiences = {}});
  }

  template <typename Request, typename Response>
  grpc::Status As(const std::vector<std::string>& values,
                  grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                  const Request& request, Response& response) {
    grpc::ClientContext context;
    SetDeadline(context, std::chrono::seconds(20));
    for (const std::string& value : values) context.AddMetadata("authorization", value);
    return (*stub_.*method)(&context, request, &response);
  }
  template <typename Request, typename Response>
  grpc::Status As(const char* token,
                  grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                  const Request& request, Response& response) {
    return As(std::vector<std::string>{absl::StrCat("Bearer ", token)}, method, request, response);
  }
  grpc::Status Verify(const std::vector<std::string>& values) {
    v1::VerifyRequest request;
    request.set_token(Token());
    v1::VerifyResponse response;
    return As(values, &Stub::Verify, request, response);
  }
};

TEST_F(ServerCallersTest, OneKnownTokenIsLetInAndNothingElse) {
  Start();
  const std::string good = absl::StrCat("Bearer ", kAsker);
  EXPECT_TRUE(Verify({good}).ok());
  EXPECT_TRUE(Verify({absl::StrCat("bearer ", kAdmin)}).ok());
  std::string message;
  for (const auto& values : std::vector<std::vector<std::string>>{
           {}, {good, good}, {good, "Bearer x"}, {"Bearer wrong"}, {kAsker}, {"Basic abc"}}) {
    const grpc::Status status = Verify(values);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    if (message.empty()) message = status.error_message();
    EXPECT_EQ(status.error_message(), message) << "one public text for all";
  }
}

TEST_F(ServerCallersTest, AMissingRightIsDeniedAndNamed) {
  Start();
  v1::AuthorizeRequest authorize;
  v1::AuthorizeResponse authorized;
  authorize.set_token(Token());
  authorize.set_resource("task/1");
  authorize.set_owner("ada");
  EXPECT_TRUE(As(kAsker, &Stub::Authorize, authorize, authorized).ok());
  grpc::Status status = As(kAdmin, &Stub::Authorize, authorize, authorized);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("caller admin has no right \"authorize\""));

  v1::ListRevocationsResponse listed;
  EXPECT_TRUE(As(kAdmin, &Stub::ListRevocations, v1::ListRevocationsRequest(), listed).ok());
  status = As(kAsker, &Stub::ListRevocations, v1::ListRevocationsRequest(), listed);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("caller asker has no right \"list\""));
}

TEST_F(ServerCallersTest, ExplainNeedsItsRightOnTopOfTheMethods) {
  Start();
  v1::VerifyRequest request;
  request.set_token(Token());
  request.set_explain(true);
  v1::VerifyResponse response;
  const grpc::Status status = As(kAsker, &Stub::Verify, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("caller asker has no right \"explain\""));
  ASSERT_TRUE(As(kAdmin, &Stub::Verify, request, response).ok());
  EXPECT_EQ(response.decision().code(), v1::CODE_OK);
  EXPECT_EQ(response.principal().subject(), "ada");
  EXPECT_EQ(response.store_id().size(), 32U);
}

TEST_F(ServerCallersTest, ATokenIsRevokedByWhoHoldsItAndTheRestNeedsTheRight) {
  Start();
  v1::RevokeRequest request;
  v1::RevokeResponse response;
  request.set_token(Token());
  ASSERT_TRUE(As(kAsker, &Stub::Revoke, request, response).ok());
  EXPECT_EQ(response.revocation().actor(), "asker");

  request.mutable_session()->set_issuer(kIssuer);
  request.mutable_session()->set_session_id("s1");
  const grpc::Status status = As(kAsker, &Stub::Revoke, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("caller asker has no right \"revoke\""));
  ASSERT_TRUE(As(kAdmin, &Stub::Revoke, request, response).ok());
  EXPECT_EQ(response.revocation().actor(), "admin");

  EXPECT_EQ(As(std::vector<std::string>{}, &Stub::Revoke, request, response).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(ServerCallersTest, AMissingOrSharedTokenFileStopsTheStartAndTheCheck) {
  config_.callers[1].token_file = folder_ / "missing";
  EXPECT_EQ(CheckKeys(config_).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Server::Start(config_, clock_).status().code(), absl::StatusCode::kNotFound);
  config_.callers[1].token_file = config_.callers[0].token_file;
  EXPECT_EQ(CheckKeys(config_).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ServerCallersTest, WarningsNameFilesThatOthersReadAndAMissingListOfCallers) {
  std::filesystem::permissions(
      config_.callers[0].token_file,
      std::filesystem::perms::owner_read | std::filesystem::perms::group_read);
  std::filesystem::permissions(
      config_.callers[1].token_file,
      std::filesystem::perms::owner_read | std::filesystem::perms::others_read);
  const auto has = [&](const std::string& part) {
    const std::vector<std::string> warnings = Warnings(config_);
    return std::any_of(warnings.begin(), warnings.end(), [&](const std::string& warning) {
      return warning.find(part) != std::string::npos;
    });
  };
  EXPECT_TRUE(has("admin.token"));
  EXPECT_FALSE(has("asker.token"));
  EXPECT_FALSE(has("no callers"));
  config_.callers.clear();
  EXPECT_TRUE(has("there are no callers"));
}

TEST_F(ServerTest, WithoutCallersExplainIsForEverybody) {
  Start();
  v1::VerifyRequest request;
  request.set_token(Token("ada", R"(,"exp":1)"));  // exp twice
  request.set_explain(true);
  v1::VerifyResponse response;
  ASSERT_TRUE(Call(&Stub::Verify, request, response).ok());
  EXPECT_EQ(response.decision().code(), v1::CODE_TOKEN_INVALID);
  EXPECT_FALSE(response.has_principal());
}

}  // namespace
}  // namespace gatehouse
