#pragma once

#include "absl/strings/string_view.h"

namespace gatehouse::policy {

// Why a decision is as it is, in public words. Only kOk allows. What each means
// to a caller stands in gatehouse/v1/decision.proto.
enum class Code {
  kOk,
  kTokenMissing,
  kTokenInvalid,
  kTokenExpired,
  kTokenRevoked,
  kInsufficientPermissions,
};
inline constexpr int kCodes = 6;

// What a code is called in public: on every wire, in logs and in metrics.
struct CodeRow {
  Code code;
  int http_status;
  absl::string_view name;    // TOKEN_EXPIRED
  absl::string_view detail;  // one sentence for people
};

const CodeRow& RowOf(Code code);

}  // namespace gatehouse::policy
