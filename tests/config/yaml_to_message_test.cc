#include "server/config/yaml_to_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "gatehouse/v1/authorization_service.pb.h"
#include "server/base/suggestion.h"

namespace gatehouse::config {
namespace {

using ::testing::HasSubstr;

// Messages of the API stand in for what the configuration does not have.
template <typename Message>
std::string Convert(const std::string& yaml, Message& message) {
  Findings findings("f");
  const auto root = ParseYaml(yaml, findings);
  if (root.has_value()) YamlToMessage(*root, message, findings);
  return std::string(findings.ToStatus().message());
}

TEST(YamlToMessage, WholeNumbersUpToTheirLimits) {
  v1::ListRevocationsRequest request;
  EXPECT_EQ(Convert("page_size: -2147483648", request), "");
  EXPECT_EQ(request.page_size(), std::numeric_limits<int32_t>::min());
  v1::RevokeResponse reply;
  EXPECT_EQ(Convert("revision: 9223372036854775807", reply), "");
  EXPECT_EQ(reply.revision(), std::numeric_limits<int64_t>::max());
}

TEST(YamlToMessage, WhatIsNoWholeNumberIsRefused) {
  for (const std::string bad :
       {"2147483648", "1.0", "0x10", "1e3", "\"7\"", "seven", "''", "+7", "1_000", "--1"}) {
    v1::ListRevocationsRequest request;
    EXPECT_THAT(Convert(absl::StrCat("page_size: ", bad), request), HasSubstr("f:1: page_size: "))
        << bad;
    EXPECT_EQ(request.page_size(), 0) << bad;
  }
}

TEST(YamlToMessage, TwoMembersOfOneChoiceAreRefused) {
  v1::RevokeRequest request;
  EXPECT_EQ(Convert("subject: {issuer: a}\nsession: {issuer: a}\n", request),
            "f:2: session: cannot stand beside subject; give one of them");
}

TEST(YamlToMessage, AFieldThatNoFileCanSetIsRefused) {
  v1::Decision decision;
  EXPECT_EQ(Convert("effect: EFFECT_ALLOW", decision), "f:1: effect: cannot be set in a file");
}

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> known = {"jwks_url", "jwks_file", "secret_env"};
  EXPECT_EQ(Nearest("jwks_uri", known), "jwks_url");
  EXPECT_EQ(Nearest("JWKS-FILE", known), "jwks_file");
  EXPECT_EQ(Nearest("secretenv", known), "secret_env");
  EXPECT_EQ(Nearest("colour", known), "");
  EXPECT_EQ(Nearest("", known), "");
  EXPECT_EQ(Nearest(std::string(100'000, 'a'), known), "");
}

}  // namespace
}  // namespace gatehouse::config
