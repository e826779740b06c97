#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/base/secret.h"
#include "server/jose/algorithms.h"

namespace gatehouse::jose {

// A key that can verify signatures of one algorithm, prepared beforehand.
// Immutable but for Retire(); thread-safe; Verify() needs no lock.
class VerificationKey {
 public:
  virtual ~VerificationKey() = default;

  // The `kid`, an opaque string; nullopt if the key has none.
  const std::optional<std::string>& kid() const { return kid_; }
  // The one algorithm this key is used with.
  Algorithm algorithm() const { return algorithm_; }
  // RFC 7638 SHA-256 thumbprint, base64url. Tells changed keys of an equal kid
  // apart. For an HMAC secret too, so it is never shown or logged.
  const std::string& thumbprint() const { return thumbprint_; }
  // Names the key in a revocation tag: the kid, or without one, or with an empty one,
  // the thumbprint. Never empty.
  const std::string& name() const {
    return kid_.has_value() && !kid_->empty() ? *kid_ : thumbprint_;
  }

  // Whether `signature` (raw JWS form) is this key's over `signing_input`. False
  // for a signature of wrong length or form.
  virtual bool Verify(absl::string_view signing_input, absl::string_view signature) const = 0;

  // A key that has left its issuer's set. Tokens that it verified and that are
  // remembered are no longer good.
  void Retire() const { retired_.store(true, std::memory_order_release); }
  bool retired() const { return retired_.load(std::memory_order_acquire); }

 protected:
  VerificationKey(std::optional<std::string> kid, Algorithm algorithm, std::string thumbprint)
      : kid_(std::move(kid)), algorithm_(algorithm), thumbprint_(std::move(thumbprint)) {}

 private:
  const std::optional<std::string> kid_;
  const Algorithm algorithm_;
  const std::string thumbprint_;
  mutable std::atomic<bool> retired_ = false;
};

// An HS256 key. Refused (INVALID_ARGUMENT): under 32 bytes, one byte or a short
// pattern repeated, a well-known example secret. The message never holds the secret.
absl::StatusOr<std::shared_ptr<const VerificationKey>> MakeHmacKey(Secret secret);

}  // namespace gatehouse::jose
