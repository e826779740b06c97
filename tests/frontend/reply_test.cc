#include "server/frontend/reply.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "gatehouse/v1/authorization_service.pb.h"

namespace gatehouse::frontend {
namespace {

using policy::Code;

constexpr Code kAllCodes[] = {Code::kOk,           Code::kTokenMissing,
                              Code::kTokenInvalid, Code::kTokenExpired,
                              Code::kTokenRevoked, Code::kInsufficientPermissions};

policy::Principal Ada() {
  policy::Principal ada;
  ada.issuer = "https://issuer.example";
  ada.subject = "ada";
  ada.tenant = "acme";
  ada.roles = {"admin", "user"};
  ada.scopes = {"read"};
  ada.session_id = "s1";
  ada.token_id = "t1";
  ada.client_id = "web";
  ada.email = "ada@example.com";
  ada.issue_time = absl::FromUnixSeconds(1'795'216'315);
  ada.expire_time = absl::FromUnixSeconds(1'795'217'215) + absl::Milliseconds(250);
  return ada;
}

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  EXPECT_TRUE(buffer.DumpToSingleSlice(&slice).ok());
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

TEST(ReplyTest, OnlyOkAllows) {
  for (const Code code : kAllCodes) {
    EXPECT_EQ(EffectOf(code) == v1::EFFECT_ALLOW, code == Code::kOk);
    EXPECT_EQ(RowOf(code).http_status == 200, code == Code::kOk);
    EXPECT_EQ(RowOf(code).code, code) << "the table is out of order";
    EXPECT_EQ("CODE_" + std::string(RowOf(code).name), v1::Code_Name(WireOf(code)));
  }
}

TEST(ReplyTest, PermissionsAre403AndAllAboutTheTokenIs401) {
  for (const Code code : kAllCodes) {
    if (code == Code::kOk) continue;
    EXPECT_EQ(RowOf(code).http_status, code == Code::kInsufficientPermissions ? 403 : 401);
  }
}

// The hand-written encoding says what the messages would.
TEST(ReplyTest, EncodedRepliesEqualSerializedMessages) {
  const std::string rendered = RenderPrincipal(Ada());
  for (const Code code : kAllCodes) {
    for (const bool with_principal : {false, true}) {
      for (const int64_t revision :
           {int64_t{0}, int64_t{1}, int64_t{127}, int64_t{128}, int64_t{1} << 40, INT64_MAX}) {
        const std::string bytes =
            BytesOf(EncodeReply(code, "id-1", with_principal ? absl::string_view(rendered) : "",
                                {.revision = revision, .store_id = "store"}));
        v1::VerifyResponse expected;
        FillDecision(code, "id-1", *expected.mutable_decision());
        if (with_principal) FillPrincipal(Ada(), *expected.mutable_principal());
        expected.set_revision(revision);
        expected.set_store_id("store");
        v1::VerifyResponse verify;
        ASSERT_TRUE(verify.ParseFromString(bytes));
        EXPECT_EQ(verify.SerializeAsString(), expected.SerializeAsString());
        v1::AuthorizeResponse authorize;
        ASSERT_TRUE(authorize.ParseFromString(bytes));
        EXPECT_EQ(authorize.SerializeAsString(), expected.SerializeAsString());
      }
    }
  }
}

TEST(ReplyTest, WhatIsToBeRememberedIsEncodedAsInTheMessages) {
  const std::vector<revocation::Tag> tags = {
      revocation::MakeTag(revocation::TagKind::kSubject, "issuer", "ada"), revocation::Tag()};
  for (const absl::Duration remember_for :
       {absl::Seconds(-1), absl::ZeroDuration(), absl::Nanoseconds(1), absl::Milliseconds(999),
        absl::Seconds(1), absl::Seconds(127), absl::Seconds(128) + absl::Nanoseconds(999'999'999),
        absl::Hours(1), absl::Hours(24 * 365 * 200)}) {
    for (const size_t count : {size_t{0}, size_t{1}, size_t{2}}) {
      for (const char* const rules : {"", "0123456789abcdef0123456789abcdef"}) {
        const Stamp stamp{.revision = 5,
                          .store_id = "store",
                          .rules = rules,
                          .remember_for = remember_for,
                          .tags = absl::MakeSpan(tags).subspan(0, count)};
        v1::VerifyResponse expected;
        FillDecision(Code::kOk, "id-1", *expected.mutable_decision());
        SetStamp(stamp, expected);
        EXPECT_EQ(expected.has_remember_for(), remember_for > absl::ZeroDuration());
        EXPECT_EQ(expected.tags_size(), static_cast<int>(count));
        EXPECT_EQ(BytesOf(EncodeReply(Code::kOk, "id-1", "", stamp)), expected.SerializeAsString());
        v1::BatchAuthorizeResponse batch;
        ASSERT_TRUE(
            batch.ParseFromString(BytesOf(BatchReply(0).Encode(Code::kOk, "id-1", "", stamp))));
        EXPECT_EQ(batch.rules(), expected.rules());
        EXPECT_EQ(batch.remember_for().SerializeAsString(),
                  expected.remember_for().SerializeAsString());
        EXPECT_EQ(batch.tags_size(), expected.tags_size());
      }
    }
  }
}

TEST(ReplyTest, LongPrincipalsKeepTheirLength) {
  policy::Principal ada = Ada();
  const std::string subject(70'000, 'x');
  ada.subject = subject;
  v1::VerifyResponse verify;
  ASSERT_TRUE(verify.ParseFromString(BytesOf(
      EncodeReply(Code::kOk, "id", RenderPrincipal(ada), {.revision = 1, .store_id = "store"}))));
  EXPECT_EQ(verify.principal().subject(), ada.subject);
}

TEST(ReplyTest, ARenderedPrincipalIsTheMessageByteForByte) {
  policy::Principal bare;
  bare.issuer = "i";
  policy::Principal odd = Ada();
  odd.roles = {"", "a", "b"};
  odd.scopes = {"x"};
  odd.issue_time = absl::UnixEpoch();
  odd.expire_time = absl::FromUnixSeconds(-1) + absl::Nanoseconds(1);
  policy::Principal large = Ada();
  const std::string text(1000, 'x');
  large.subject = text;
  large.client_id = text;
  for (const policy::Principal& principal : {Ada(), bare, odd, large}) {
    v1::Principal message;
    FillPrincipal(principal, message);
    EXPECT_EQ(RenderPrincipal(principal), message.SerializeAsString());
  }
}

TEST(ReplyTest, APrincipalWithoutIatHasNoIssueTime) {
  policy::Principal ada = Ada();
  ada.issue_time.reset();
  v1::Principal message;
  FillPrincipal(ada, message);
  EXPECT_FALSE(message.has_issue_time());
  EXPECT_EQ(message.expire_time().seconds(), 1'795'217'215);
  EXPECT_EQ(message.expire_time().nanos(), 250'000'000);
}

TEST(DecisionIdsTest, AreUnique) {
  DecisionIds a;
  DecisionIds b;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(std::string(a.Next()));
    seen.insert(std::string(b.Next()));
  }
  EXPECT_EQ(seen.size(), 2000u);
  EXPECT_EQ(a.Next().size(), DecisionIds::kLength);
}

}  // namespace
}  // namespace gatehouse::frontend
