#include "server/frontend/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

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

TEST(WireTest, PageSizesAreBounded) {
  v1::ListRevocationsRequest request;
  EXPECT_EQ(ToQuery(request)->limit, 100);
  request.set_page_size(7);
  EXPECT_EQ(ToQuery(request)->limit, 7);
  request.set_page_size(1'000'000);
  EXPECT_EQ(ToQuery(request)->limit, 1000);
  request.set_page_size(-1);
  EXPECT_THAT(std::string(ToQuery(request).status().message()), StartsWith("page_size: "));
}

TEST(WireTest, APageTokenThatWasNeverGivenIsRefused) {
  v1::ListRevocationsRequest request;
  request.set_page_token(PageToken(42));
  EXPECT_EQ(ToQuery(request)->before_revision, 42);
  for (const char* bad : {"x", "-1", "0", "042", "+42", " 42", "42 ", "99999999999999999999"}) {
    request.set_page_token(bad);
    EXPECT_THAT(std::string(ToQuery(request).status().message()), StartsWith("page_token: "))
        << bad;
  }
}

TEST(WireTest, ARevocationShowsItsTarget) {
  revocation::Fact fact;
  fact.id = "f1";
  fact.kind = revocation::TagKind::kSubject;
  fact.issuer = "https://issuer.example";
  fact.target = "ada";
  fact.issued_until = 1'795'216'315;
  fact.create_time = absl::FromUnixSeconds(1'795'216'300);
  fact.revision = 9;
  v1::Revocation out;
  FillRevocation(fact, out);
  EXPECT_EQ(out.subject().subject(), "ada");
  EXPECT_EQ(out.subject().issuer(), "https://issuer.example");
  EXPECT_EQ(out.subject().issued_until().seconds(), 1'795'216'315);
  EXPECT_EQ(out.revision(), 9);
  EXPECT_FALSE(out.has_end_time()) << "it never ends";
}

}  // namespace
}  // namespace gatehouse::frontend
