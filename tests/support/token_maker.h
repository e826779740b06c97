#pragma once

#include <initializer_list>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "server/jose/algorithms.h"
#include "server/jose/openssl.h"

namespace gatehouse {

// A fresh private key of one algorithm that signs whatever a test asks for,
// sensible or not. Aborts when OpenSSL fails. Immutable, thread-safe. An RSA key
// takes a tenth of a second or more to make: share one among tests.
class TokenMaker {
 public:
  // `kid`: what Jwk() and Header() say; by default the RFC 7638 thumbprint.
  // Secrets have none. `rsa_bits` matters to RS* and PS* alone.
  explicit TokenMaker(jose::Algorithm algorithm, absl::string_view kid = "", int rsa_bits = 2048);

  // The same key and kid for another algorithm of its kind: RS256's for PS384, say.
  TokenMaker As(jose::Algorithm algorithm) const;

  jose::Algorithm algorithm() const { return algorithm_; }
  const std::string& kid() const { return kid_; }
  const std::string& thumbprint() const { return thumbprint_; }

  // The public key as one JWK and as a set of it; for HS* the `oct` key, which a
  // reader of JWK Sets must refuse.
  std::string Jwk() const;
  std::string Jwks() const { return JwksOf({this}); }
  static std::string JwksOf(std::initializer_list<const TokenMaker*> makers);
  // HS*: 64 random bytes of printable text. Empty for the others.
  const std::string& secret() const { return secret_; }

  // Null for HS*. Lives as long as this.
  EVP_PKEY* private_key() const { return key_.get(); }

  // {"alg":"ES256","kid":"..."}, without kid for HS*.
  std::string Header() const;
  // A compact JWS over exactly these texts.
  std::string Sign(absl::string_view header_json, absl::string_view claims_json) const;
  std::string Sign(absl::string_view claims_json) const { return Sign(Header(), claims_json); }
  // The raw JWS signature over `signing_input`.
  std::string SignatureOf(absl::string_view signing_input) const;
  // PS*: with a salt of so many bytes, sensible or not.
  std::string SignatureOf(absl::string_view signing_input, int pss_salt_bytes) const;

 private:
  jose::Algorithm algorithm_;
  std::shared_ptr<EVP_PKEY> key_;  // null for HS*
  std::string members_;            // the JWK's required members, without braces
  std::string thumbprint_;
  std::string kid_;
  std::string secret_;
};

}  // namespace gatehouse
