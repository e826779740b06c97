#include "server/jose/digest_key.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

namespace gatehouse::jose {
namespace {

bool SetPadding(EVP_PKEY_CTX* context, Algorithm algorithm) {
  const EVP_MD* const hash = HashMethod(HashOf(algorithm));
  switch (SchemeOf(algorithm)) {
    case Scheme::kEcdsa:
      return true;
    case Scheme::kPkcs1:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    case Scheme::kPss:  // RFC 7518 section 3.5
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
    case Scheme::kMessage:
    case Scheme::kHmac:
      break;
  }
  return false;
}

EvpPkeyCtx Prepare(EVP_PKEY* key, Algorithm algorithm) {
  EvpPkeyCtx context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (context == nullptr || EVP_PKEY_verify_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_signature_md(context.get(), HashMethod(HashOf(algorithm))) != 1 ||
      !SetPadding(context.get(), algorithm)) {
    return nullptr;
  }
  return context;
}

}  // namespace

// An RSA key's algorithms follow each other, so that each has a pool of its own; an
// EC key has one.
const ContextPool<EvpPkeyCtx>& DigestKey::PoolOf(Algorithm algorithm) const {
  static_assert(kPools == 6, "what algorithms.cc checks of its table");
  return pools_[static_cast<size_t>(algorithm) % kPools];
}

bool DigestKey::VerifyDigest(Algorithm algorithm, const SigningInput& input,
                             absl::Span<const unsigned char> signature) const {
  const ContextPool<EvpPkeyCtx>& pool = PoolOf(algorithm);
  EvpPkeyCtx context = pool.Take();
  if (context == nullptr) context = Prepare(key_.get(), algorithm);
  const auto verify = [&](const uint8_t* digest, size_t size) {
    return context != nullptr &&
           EVP_PKEY_verify(context.get(), signature.data(), signature.size(), digest, size) == 1;
  };
  const Hash hash = HashOf(algorithm);
  const bool good = hash == Hash::kSha256
                        ? verify(input.sha256().data(), input.sha256().size())
                        : verify(DigestOf(hash, input.bytes()).data(), SizeOf(hash));
  if (good) {
    pool.Put(std::move(context));
  } else {
    ERR_clear_error();
  }
  return good;
}

}  // namespace gatehouse::jose
