#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// base64url without padding (RFC 7515 section 2, RFC 4648 section 5). Strict: a
// text has one decoding and a value one encoding, so `=`, a length of 4n+1, bits
// set behind the last byte, white space and all other bytes are refused.
namespace gatehouse::jose {

// The size of the value that `encoded_size` characters encode.
constexpr size_t DecodedBase64UrlSize(size_t encoded_size) {
  return encoded_size / 4 * 3 + encoded_size % 4 * 3 / 4;
}

// Writes DecodedBase64UrlSize(encoded.size()) bytes to `out`. False, with `out`
// in no particular state, if `encoded` is no base64url.
bool DecodeBase64Url(absl::string_view encoded, char* out);

std::optional<std::string> DecodeBase64Url(absl::string_view encoded);

std::string EncodeBase64Url(absl::string_view bytes);

}  // namespace gatehouse::jose
