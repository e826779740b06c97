#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/jose/verification_key.h"

// Public keys from the decoded members of a JWK. INVALID_ARGUMENT, with a reason
// that holds no key material, for a key that must not be used.
namespace gatehouse::jose {

using KeyOrError = absl::StatusOr<std::shared_ptr<const VerificationKey>>;

// What the JWK says beside the key itself. `algorithms`: of the key's kind.
struct KeyLabel {
  std::optional<std::string> kid = {};
  AlgorithmSet algorithms = {};
};

// RFC 8037. `x`: 32 bytes, canonical, on the curve, not of small order: under such
// a key anybody can sign, and OpenSSL takes it.
KeyOrError MakeEd25519Key(KeyLabel label, absl::string_view x);

// RFC 7518 section 6.2. `kind`: P-256, P-384 or P-521. `x`, `y`: 32, 48 or 66 bytes
// each, leading zeros included, a point on the curve.
KeyOrError MakeEcKey(KeyLabel label, KeyKind kind, absl::string_view x, absl::string_view y);

// RFC 7518 section 6.3. `n`: 2048 to 8192 bits, odd. `e`: odd, 65537 to 64 bits
// (a longer one only makes verification slow). Neither with leading zero bytes.
KeyOrError MakeRsaKey(KeyLabel label, absl::string_view n, absl::string_view e);

}  // namespace gatehouse::jose
