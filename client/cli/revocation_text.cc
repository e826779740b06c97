#include "client/cli/revocation_text.h"

#include "absl/strings/str_cat.h"
#include "client/cli/output.h"

namespace gatehouse::cli {
namespace {

// Up to when tokens of `target` were issued that are refused.
template <class ByTime>
std::string UpTo(const ByTime& target) {
  if (!target.has_issued_until()) return "";
  return absl::StrCat(", issued until ", TimeText(target.issued_until()));
}

std::string SpanOf(const v1::Revocation& revocation) {
  if (revocation.has_expire_time()) {
    return absl::StrCat(", suspended until ", TimeText(revocation.expire_time()));
  }
  switch (revocation.target_case()) {
    case v1::Revocation::kSubject:
      return UpTo(revocation.subject());
    case v1::Revocation::kTenant:
      return UpTo(revocation.tenant());
    case v1::Revocation::kClient:
      return UpTo(revocation.client());
    default:
      return "";
  }
}

std::string NameOf(const v1::Revocation& revocation) {
  switch (revocation.target_case()) {
    case v1::Revocation::kTokenIdentity:
      return revocation.token_identity();
    case v1::Revocation::kTokenId:
      return revocation.token_id().token_id();
    case v1::Revocation::kSession:
      return revocation.session().session_id();
    case v1::Revocation::kSubject:
      return revocation.subject().subject();
    case v1::Revocation::kTenant:
      return revocation.tenant().tenant();
    case v1::Revocation::kClient:
      return revocation.client().client_id();
    case v1::Revocation::kKey:
      return revocation.key().key_id();
    case v1::Revocation::TARGET_NOT_SET:
      break;
  }
  return "";
}

std::string TextOf(bool has, const google::protobuf::Timestamp& time) {
  return has ? TimeText(time) : "";
}

}  // namespace

std::string KindOf(const v1::Revocation& revocation) {
  switch (revocation.target_case()) {
    case v1::Revocation::kTokenIdentity:
      return "token";
    case v1::Revocation::kTokenId:
      return "token-id";
    case v1::Revocation::kSession:
      return "session";
    case v1::Revocation::kSubject:
      return "subject";
    case v1::Revocation::kTenant:
      return "tenant";
    case v1::Revocation::kClient:
      return "client";
    case v1::Revocation::kKey:
      return "key";
    case v1::Revocation::TARGET_NOT_SET:
      break;
  }
  return "unknown";
}

std::string TargetOf(const v1::Revocation& revocation) {
  return absl::StrCat(NameOf(revocation), SpanOf(revocation));
}

std::string StateOf(const v1::Revocation& revocation, absl::Time now) {
  if (revocation.has_reinstatement()) {
    return absl::StrCat("taken back ", TimeText(revocation.reinstatement().create_time()));
  }
  if (revocation.has_end_time() && FromStamp(revocation.end_time()) <= now) {
    return absl::StrCat("ended ", TimeText(revocation.end_time()));
  }
  return "in force";
}

void PrintRevocation(const v1::Revocation& revocation) {
  const v1::Reinstatement& reinstatement = revocation.reinstatement();
  PrintRows({
      {KindOf(revocation), TargetOf(revocation)},
      {"issuer", revocation.issuer()},
      {"reason", revocation.reason()},
      {"made", TextOf(revocation.has_create_time(), revocation.create_time())},
      {"by", revocation.actor()},
      {"kept until", revocation.has_expire_time()
                         ? ""
                         : TextOf(revocation.has_end_time(), revocation.end_time())},
      {"id", revocation.id()},
      {"revision", absl::StrCat(revocation.revision())},
      {"taken back", TextOf(revocation.has_reinstatement(), reinstatement.create_time())},
      {"taken back by", reinstatement.actor()},
      {"because", reinstatement.reason()},
  });
}

void SetStamp(absl::Time time, google::protobuf::Timestamp& stamp) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  stamp.set_seconds(seconds);
  stamp.set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

absl::Time FromStamp(const google::protobuf::Timestamp& stamp) {
  return absl::FromUnixSeconds(stamp.seconds()) + absl::Nanoseconds(stamp.nanos());
}

}  // namespace gatehouse::cli
