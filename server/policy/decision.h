#pragma once

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

}  // namespace gatehouse::policy
