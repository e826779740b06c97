#include "server/policy/decision.h"

#include <array>
#include <cstddef>

namespace gatehouse::policy {
namespace {

constexpr std::array<CodeRow, kCodes> kRows = {{
    {Code::kOk, 200, "OK", "Allowed."},
    {Code::kTokenMissing, 401, "TOKEN_MISSING", "A token is required."},
    {Code::kTokenInvalid, 401, "TOKEN_INVALID", "The token is not valid."},
    {Code::kTokenExpired, 401, "TOKEN_EXPIRED", "The token has expired."},
    {Code::kTokenRevoked, 401, "TOKEN_REVOKED", "The token has been revoked."},
    {Code::kInsufficientPermissions, 403, "INSUFFICIENT_PERMISSIONS",
     "The token does not permit this."},
}};

}  // namespace

const CodeRow& RowOf(Code code) { return kRows[static_cast<size_t>(code)]; }

}  // namespace gatehouse::policy
