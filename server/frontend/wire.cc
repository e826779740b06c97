#include "server/frontend/wire.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace gatehouse::frontend {
namespace {

using revocation::TagKind;

constexpr int64_t kFirstSecond = -62'135'596'800;  // 0001-01-01
constexpr int64_t kLastSecond = 253'402'300'799;   // 9999-12-31T23:59:59
constexpr int kMaxPage = 1000;

}  // namespace

absl::Status Parse(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite& message) {
  grpc::Slice slice;
  const bool got = bytes.Length() == 0 || bytes.TrySingleSlice(&slice).ok() ||
                   bytes.DumpToSingleSlice(&slice).ok();
  if (!got || slice.size() > std::numeric_limits<int>::max() ||
      !message.ParseFromArray(slice.begin(), static_cast<int>(slice.size()))) {
    return absl::InvalidArgumentError(
        absl::StrCat("the request is not a ", message.GetTypeName(), " message"));
  }
  return absl::OkStatus();
}

grpc::ByteBuffer Serialize(const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

void SetTimestamp(absl::Time time, google::protobuf::Timestamp& stamp) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  stamp.set_seconds(seconds);
  stamp.set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

absl::StatusOr<absl::Time> FromTimestamp(const google::protobuf::Timestamp& stamp,
                                         absl::string_view field) {
  if (stamp.seconds() < kFirstSecond || stamp.seconds() > kLastSecond || stamp.nanos() < 0 ||
      stamp.nanos() > 999'999'999) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": is no time of the years 1 to 9999"));
  }
  return absl::FromUnixSeconds(stamp.seconds()) + absl::Nanoseconds(stamp.nanos());
}

void FillRevocation(const revocation::Fact& fact, v1::Revocation& out) {
  out.set_id(fact.id);
  switch (fact.kind) {
    case TagKind::kToken:
      out.set_token_identity(fact.target);
      break;
    case TagKind::kTokenId:
      out.mutable_token_id()->set_issuer(fact.issuer);
      out.mutable_token_id()->set_token_id(fact.target);
      break;
    case TagKind::kSession:
      out.mutable_session()->set_issuer(fact.issuer);
      out.mutable_session()->set_session_id(fact.target);
      break;
    case TagKind::kSubject:
      out.mutable_subject()->set_issuer(fact.issuer);
      out.mutable_subject()->set_subject(fact.target);
      SetTimestamp(absl::FromUnixSeconds(fact.issued_until),
                   *out.mutable_subject()->mutable_issued_until());
      break;
    case TagKind::kTenant:
    case TagKind::kClient:
    case TagKind::kKey:
      break;
  }
  out.set_issuer(fact.issuer);
  out.set_reason(fact.reason);
  SetTimestamp(fact.create_time, *out.mutable_create_time());
  out.set_actor(fact.actor);
  if (fact.end_time != absl::InfiniteFuture()) SetTimestamp(fact.end_time, *out.mutable_end_time());
  out.set_revision(fact.revision);
}

std::string PageToken(int64_t before_revision) { return absl::StrCat(before_revision); }

absl::StatusOr<revocation::ListQuery> ToQuery(const v1::ListRevocationsRequest& request) {
  revocation::ListQuery query;
  if (request.page_size() < 0) {
    return absl::InvalidArgumentError("page_size: must not be negative");
  }
  if (request.page_size() > 0) query.limit = std::min(request.page_size(), kMaxPage);
  if (!request.page_token().empty() &&
      (!absl::SimpleAtoi(request.page_token(), &query.before_revision) ||
       query.before_revision <= 0 || PageToken(query.before_revision) != request.page_token())) {
    return absl::InvalidArgumentError("page_token: was not given by an earlier page");
  }
  return query;
}

}  // namespace gatehouse::frontend
