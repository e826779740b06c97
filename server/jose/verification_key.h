#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/base/secret.h"
#include "server/jose/algorithms.h"
#include "server/jose/signing_input.h"

namespace gatehouse::jose {

// What a key is, beside its material.
struct KeyDescription {
  std::optional<std::string> kid = {};
  KeyKind kind = KeyKind::kEd25519;
  AlgorithmSet algorithms = {};
  std::string thumbprint = {};
};

// A key that can verify signatures, prepared beforehand. Immutable but for
// Retire(); thread-safe; Verify() needs no lock.
class VerificationKey {
 public:
  virtual ~VerificationKey() = default;

  // The `kid`, an opaque string; nullopt if the key has none.
  const std::optional<std::string>& kid() const { return kid_; }
  KeyKind kind() const { return kind_; }
  // What it is used with, never empty and all of its kind: the one that its JWK
  // names, else all of its kind; of a secret, those that the issuer lists.
  AlgorithmSet algorithms() const { return algorithms_; }
  bool Accepts(Algorithm algorithm) const { return algorithms_.Has(algorithm); }
  // RFC 7638 SHA-256 thumbprint, base64url. Tells changed keys of an equal kid
  // apart. For an HMAC secret too, so it is never shown or logged.
  const std::string& thumbprint() const { return thumbprint_; }
  // Names the key in a revocation tag: the kid, or without one, or with an empty one,
  // the thumbprint. Never empty.
  const std::string& name() const {
    return kid_.has_value() && !kid_->empty() ? *kid_ : thumbprint_;
  }

  // Whether `signature` (raw JWS form) is this key's over `input`. False for an
  // algorithm that it does not accept, and a signature of wrong length or form.
  bool Verify(Algorithm algorithm, const SigningInput& input, absl::string_view signature) const {
    return Accepts(algorithm) && VerifyAccepted(algorithm, input, signature);
  }

  // A key that has left its issuer's set. Tokens that it verified and that are
  // remembered are no longer good.
  void Retire() const { retired_.store(true, std::memory_order_release); }
  bool retired() const { return retired_.load(std::memory_order_acquire); }

 protected:
  explicit VerificationKey(KeyDescription description)
      : kid_(std::move(description.kid)),
        kind_(description.kind),
        algorithms_(description.algorithms),
        thumbprint_(std::move(description.thumbprint)) {}

 private:
  // `algorithm` is one of algorithms().
  virtual bool VerifyAccepted(Algorithm algorithm, const SigningInput& input,
                              absl::string_view signature) const = 0;

  const std::optional<std::string> kid_;
  const KeyKind kind_;
  const AlgorithmSet algorithms_;
  const std::string thumbprint_;
  mutable std::atomic<bool> retired_ = false;
};

// A secret for these of HS256, HS384, HS512; at least one. Refused
// (INVALID_ARGUMENT): other algorithms, fewer bytes than the longest hash among
// them (RFC 7518 section 3.2: 32, 48, 64), one byte or a short pattern repeated, a
// well-known example secret. The message never holds the secret.
absl::StatusOr<std::shared_ptr<const VerificationKey>> MakeHmacKey(
    Secret secret, const std::vector<Algorithm>& algorithms);

}  // namespace gatehouse::jose
