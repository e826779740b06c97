#pragma once

#include <array>
#include <utility>

#include "absl/types/span.h"
#include "server/jose/context_pool.h"
#include "server/jose/openssl.h"
#include "server/jose/verification_key.h"

namespace gatehouse::jose {

// What keys over a digest (RSA, ECDSA) share: an EVP_PKEY_CTX that is initialized
// for one algorithm may verify any number of digests, one after the other.
class DigestKey : public VerificationKey {
 protected:
  DigestKey(KeyDescription description, EvpPkey key)
      : VerificationKey(std::move(description)), key_(std::move(key)) {}

  // `signature` in OpenSSL's form.
  bool VerifyDigest(Algorithm algorithm, const SigningInput& input,
                    absl::Span<const unsigned char> signature) const;

  EVP_PKEY* key() const { return key_.get(); }

 private:
  // The most algorithms that one kind of key serves.
  static constexpr size_t kPools = 6;
  const ContextPool<EvpPkeyCtx>& PoolOf(Algorithm algorithm) const;

  const EvpPkey key_;
  const std::array<ContextPool<EvpPkeyCtx>, kPools> pools_{};
};

}  // namespace gatehouse::jose
