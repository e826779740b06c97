#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/frontend/ext_authz_fixture.h"

// What the log says of questions that got no decision.
namespace gatehouse {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using ExtAuthzLogTest = ExtAuthzTest;

TEST_F(ExtAuthzLogTest, WhoMayNotAskGetsNoDecision) {
  AddCallers();
  Begin();
  const CheckRequest request = Ask("/public/x");
  EXPECT_EQ(StatusOf(Check(request, TokenOf("envoy"))), 200);
  ::testing::internal::CaptureStderr();
  for (const std::string caller : {"", "nobody", "other"}) {
    const CheckResponse response = Check(request, caller.empty() ? "" : TokenOf(caller));
    EXPECT_EQ(response.status().code(), 14) << caller;
    EXPECT_EQ(StatusOf(response), 503) << caller;
    EXPECT_EQ(
        response.denied_response().body(),
        R"({"detail":"No decision could be made: try again.","code":"UNAVAILABLE","status":503})");
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr(R"(reason="unknown caller")"));
  EXPECT_THAT(log, HasSubstr(R"(reason="no right \"check\"" caller="other")"));
  EXPECT_THAT(log, Not(HasSubstr(TokenOf("other"))));
}

TEST_F(ExtAuthzLogTest, TheLogSaysWhyAQuestionWasNoneAndHoldsNoToken) {
  AddCallers();
  Begin();
  const std::string token = Token();
  CheckRequest both = Ask("/me", "Bearer " + token);
  Http(both).mutable_header_map()->add_headers()->set_key("a");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(StatusOf(Check(both, TokenOf("envoy"))), 400);
  EXPECT_EQ(StatusOf(Check(CheckRequest(), TokenOf("envoy"))), 400);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr(R"(denied method="Check" caller="envoy" code="INVALID_REQUEST" )"
                             R"(reason="the request has headers in both of two forms")"));
  EXPECT_THAT(log, HasSubstr(R"(reason="the request does not tell of an HTTP request")"));
  EXPECT_THAT(log, AllOf(Not(HasSubstr(token)), Not(HasSubstr(TokenOf("envoy")))));
}

TEST_F(ExtAuthzLogTest, WithoutKeysItSaysSoInTime) {
  config_.issuers[0].keys = config::KeysUrl{.url = "http://127.0.0.1:1/jwks"};
  Begin();
  ::testing::internal::CaptureStderr();
  const CheckResponse response = Check(Ask("/me", "Bearer " + Token()));
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(response.status().code(), 14);
  EXPECT_EQ(StatusOf(response), 503);
  EXPECT_THAT(
      log, HasSubstr(R"(denied method="Check" caller="anonymous" code="UNAVAILABLE" reason="the)"));
  EXPECT_EQ(StatusOf(Check(Ask("/public/x"))), 200) << "nothing else is held up";
}

}  // namespace
}  // namespace gatehouse
