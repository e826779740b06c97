#pragma once

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "server/jose/openssl.h"

namespace gatehouse::jose {

// The bytes that a JWS signs (RFC 7515 section 5.1), hashed once: their SHA-256 is
// the token's identity and what RS256, PS256 and ES256 sign. Points to the bytes.
class SigningInput {
 public:
  explicit SigningInput(absl::string_view bytes) : bytes_(bytes), sha256_(Sha256(bytes)) {}

  absl::string_view bytes() const { return bytes_; }
  const std::array<uint8_t, 32>& sha256() const { return sha256_; }

 private:
  absl::string_view bytes_;
  std::array<uint8_t, 32> sha256_;
};

}  // namespace gatehouse::jose
