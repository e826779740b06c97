#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/frontend/server_fixture.h"

namespace gatehouse {
namespace {

using ::testing::HasSubstr;
using Stub = v1::AuthorizationService::Stub;

constexpr size_t kMaxMessage = size_t{128} * 1024;

class ServerBatchTest : public ServerTest {
 protected:
  // As many checks as may be, with facts, in `bytes` exactly.
  static v1::BatchAuthorizeRequest Batch(const std::string& token, size_t bytes) {
    v1::BatchAuthorizeRequest request;
    request.set_token(token);
    for (int i = 0; i < 1000; ++i) {
      v1::Check& check = *request.add_checks();
      check.set_resource(absl::StrCat("task/", i));
      check.set_owner("ada");
      check.set_action("x");
      (*check.mutable_attributes())["team"] = std::string(80, 'x');
    }
    while (request.ByteSizeLong() + 3300 < bytes) {
      for (v1::Check& check : *request.mutable_checks()) check.mutable_action()->push_back('x');
    }
    // One byte more is one byte more here, whatever its length.
    std::string& last = (*request.mutable_checks(999)->mutable_attributes())["pad"];
    last.assign(200, 'x');
    last.append(bytes - request.ByteSizeLong(), 'x');
    EXPECT_EQ(request.ByteSizeLong(), bytes);
    return request;
  }
};

TEST_F(ServerBatchTest, ABatchAsLongAsAMessageMayBeIsAnsweredForATokenThatIsNew) {
  Start();
  v1::BatchAuthorizeResponse response;
  const grpc::Status status =
      Call(&Stub::BatchAuthorize, Batch(Token("ada"), kMaxMessage), response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.decisions_size(), 1000);
  for (const v1::Decision& one : response.decisions()) EXPECT_EQ(one.code(), v1::CODE_OK);

  const grpc::Status longer =
      Call(&Stub::BatchAuthorize, Batch(Token("bob"), kMaxMessage + 1), response);
  EXPECT_EQ(longer.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ServerBatchTest, ItsDenialsAreCountedByCheckAndStandInTheLogOnce) {
  Start();
  v1::BatchAuthorizeRequest request;
  request.set_token(Token());
  for (const char* owner : {"ada", "bob", "cyd", ""}) {
    v1::Check& check = *request.add_checks();
    check.set_resource(absl::StrCat("task/", owner, "s"));
    check.set_owner(owner);
    check.set_action("read");
  }
  v1::BatchAuthorizeResponse response;
  ::testing::internal::CaptureStderr();
  const grpc::Status status = Call(&Stub::BatchAuthorize, request, response);
  const std::string log = ::testing::internal::GetCapturedStderr();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(log.find("denied"), log.rfind(" denied ") + 1) << log;
  EXPECT_THAT(log, HasSubstr("code=\"INSUFFICIENT_PERMISSIONS\" reason=\"the subject is not the "
                             "owner\""));
  EXPECT_THAT(log, HasSubstr(absl::StrCat(
                       "resource=\"task/bobs\" action=\"read\" denials=\"3\" decision=\"",
                       response.decisions(1).id(), "\"")));
}

TEST_F(ServerBatchTest, ALongRevocationDoesNotWait) {
  Start();
  v1::RevokeRequest request;
  request.set_token(Token());
  request.set_reason(std::string(size_t{32} * 1024, 'x'));
  v1::RevokeResponse response;
  const grpc::Status status = Call(&Stub::Revoke, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("a revocation over 32 KiB cannot wait"));
}

}  // namespace
}  // namespace gatehouse
