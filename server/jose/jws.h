#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/jose/algorithms.h"

// The compact serialization of a JWS and its header (RFC 7515 sections 3.1, 4, 7.1).
namespace gatehouse::jose {

// The segments as they stand in the token, still encoded; point into it.
struct CompactJws {
  absl::string_view header;
  absl::string_view payload;
  absl::string_view signature;
  absl::string_view signing_input;  // header.payload
};

// INVALID_ARGUMENT unless `token` is exactly three segments, none of them empty.
// What stands in the segments is looked at when they are decoded.
absl::StatusOr<CompactJws> SplitCompactJws(absl::string_view token);

// The header's `typ`. A token without one counts as a JWT.
enum class TokenType { kJwt, kAccessToken };

// "JWT" or "at+jwt", ignoring case and "application/" before it (RFC 7515 section
// 4.1.9).
std::optional<TokenType> TokenTypeFromName(absl::string_view name);
absl::string_view NameOf(TokenType type);

struct JwsHeader {
  Algorithm algorithm = Algorithm::kEdDsa;
  TokenType type = TokenType::kJwt;
  std::optional<std::string> kid;
};

// Decodes and checks a header segment: alg of our table, kid absent or a string,
// typ absent, JWT or at+jwt (RFC 7519 section 5.1, RFC 9068), none of crit, b64,
// jwk, jku, x5u, x5c. Other members are ignored (RFC 7515 section 4).
// INVALID_ARGUMENT with a reason that holds nothing of the token.
absl::StatusOr<JwsHeader> ParseJwsHeader(absl::string_view segment);

}  // namespace gatehouse::jose
