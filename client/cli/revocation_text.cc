#include "client/cli/revocation_text.h"

#include "absl/strings/str_cat.h"
#include "client/cli/output.h"

namespace gatehouse::cli {

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
    case v1::Revocation::TARGET_NOT_SET:
      break;
  }
  return "unknown";
}

std::string TargetOf(const v1::Revocation& revocation) {
  switch (revocation.target_case()) {
    case v1::Revocation::kTokenIdentity:
      return revocation.token_identity();
    case v1::Revocation::kTokenId:
      return revocation.token_id().token_id();
    case v1::Revocation::kSession:
      return revocation.session().session_id();
    case v1::Revocation::kSubject:
      return absl::StrCat(revocation.subject().subject(), ", issued until ",
                          TimeText(revocation.subject().issued_until()));
    case v1::Revocation::TARGET_NOT_SET:
      break;
  }
  return "";
}

}  // namespace gatehouse::cli
