#include "server/frontend/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gatehouse/v1/authorization_service.pb.h"

namespace gatehouse::frontend {
namespace {

using ::testing::StartsWith;

TEST(WireTest, AMessageInSeveralSlicesIsParsed) {
  v1::VerifyRequest request;
  request.set_token(std::string(5000, 'a'));
  const std::string bytes = request.SerializeAsString();
  std::vector<grpc::Slice> slices;
  for (size_t i = 0; i < bytes.size(); i += 1000) slices.emplace_back(bytes.substr(i, 1000));
  const grpc::ByteBuffer buffer(slices.data(), slices.size());
  v1::VerifyRequest parsed;
  ASSERT_TRUE(Parse(buffer, parsed).ok());
  EXPECT_EQ(parsed.token(), request.token());
}

TEST(WireTest, AnEmptyMessageIsOneWithoutFields) {
  v1::VerifyRequest parsed;
  parsed.set_token("left from the call before");
  EXPECT_TRUE(Parse(grpc::ByteBuffer(), parsed).ok());
  EXPECT_EQ(parsed.token(), "");
}

TEST(WireTest, GarbageIsInvalidArgument) {
  const grpc::Slice slice(std::string("\xFF\xFF\xFF\xFF garbage"));
  v1::VerifyRequest parsed;
  EXPECT_EQ(Parse(grpc::ByteBuffer(&slice, 1), parsed).code(), absl::StatusCode::kInvalidArgument);
}

TEST(WireTest, TimestampsOutsideOfTheCalendarAreRefused) {
  google::protobuf::Timestamp stamp;
  stamp.set_seconds(253'402'300'799);
  EXPECT_TRUE(FromTimestamp(stamp, "f").ok());
  stamp.set_seconds(253'402'300'800);
  EXPECT_THAT(std::string(FromTimestamp(stamp, "f").status().message()), StartsWith("f: "));
  stamp.set_seconds(INT64_MIN);
  EXPECT_FALSE(FromTimestamp(stamp, "f").ok());
  stamp.set_seconds(0);
  stamp.set_nanos(-1);
  EXPECT_FALSE(FromTimestamp(stamp, "f").ok());
  stamp.set_nanos(1'000'000'000);
  EXPECT_FALSE(FromTimestamp(stamp, "f").ok());
}

}  // namespace
}  // namespace gatehouse::frontend
