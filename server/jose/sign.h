#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/base/secret.h"
#include "server/jose/openssl.h"

// What makes tokens for development: the server does not link it.
namespace gatehouse::jose {

// An Ed25519 private key. Immutable, thread-safe, move-only.
class SigningKey {
 public:
  static absl::StatusOr<SigningKey> Generate();
  // INVALID_ARGUMENT if `pem` is no PEM of an Ed25519 private key without password;
  // the message holds nothing of it.
  static absl::StatusOr<SigningKey> FromPem(const Secret& pem);

  // PKCS #8 (RFC 8410). For a file that only its owner may read.
  absl::StatusOr<Secret> ToPem() const;

  // The RFC 7638 thumbprint of the public key.
  const std::string& kid() const { return kid_; }
  // The public key as a JWK Set of one key.
  std::string PublicJwks() const;

  // A compact JWS over `claims_json` as it stands, with the header alg (EdDSA),
  // kid, and typ unless that is empty. INVALID_ARGUMENT if `typ` holds anything
  // but letters, digits, and `+-./`.
  absl::StatusOr<std::string> Sign(absl::string_view claims_json,
                                   absl::string_view typ = "JWT") const;

 private:
  SigningKey(EvpPkey key, std::string x, std::string kid)
      : key_(std::move(key)), x_(std::move(x)), kid_(std::move(kid)) {}
  static absl::StatusOr<SigningKey> FromKey(EvpPkey key);

  EvpPkey key_;
  std::string x_;  // the public key, base64url
  std::string kid_;
};

}  // namespace gatehouse::jose
