#pragma once

#include <openssl/err.h>

#include <array>
#include <utility>

#include "server/jose/context_pool.h"
#include "server/jose/openssl.h"
#include "server/jose/verification_key.h"

namespace gatehouse::jose {

// What keys over a SHA-256 digest (RSA PKCS #1 v1.5, ECDSA) share: an initialized
// EVP_PKEY_CTX may verify any number of digests, one after the other.
class DigestKey : public VerificationKey {
 protected:
  DigestKey(std::optional<std::string> kid, Algorithm algorithm, std::string thumbprint,
            EvpPkey key)
      : VerificationKey(std::move(kid), algorithm, std::move(thumbprint)), key_(std::move(key)) {}

  // `signature` in OpenSSL's form.
  bool VerifyDigest(const std::array<uint8_t, 32>& digest, absl::string_view signature) const;

  EVP_PKEY* key() const { return key_.get(); }

 private:
  EvpPkeyCtx Prepared() const;

  const EvpPkey key_;
  const ContextPool<EvpPkeyCtx> contexts_;
};

}  // namespace gatehouse::jose
