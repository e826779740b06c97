#include "server/jose/digest_key.h"

namespace gatehouse::jose {

EvpPkeyCtx DigestKey::Prepared() const {
  if (EvpPkeyCtx spare = contexts_.Take(); spare != nullptr) return spare;
  EvpPkeyCtx context(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  // RSA's padding is PKCS #1 v1.5 unless another is asked for.
  if (context == nullptr || EVP_PKEY_verify_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_signature_md(context.get(), Sha256Method()) != 1) {
    return nullptr;
  }
  return context;
}

bool DigestKey::VerifyDigest(const std::array<uint8_t, 32>& digest,
                             absl::string_view signature) const {
  EvpPkeyCtx context = Prepared();
  const bool good =
      context != nullptr && EVP_PKEY_verify(context.get(), Bytes(signature), signature.size(),
                                            digest.data(), digest.size()) == 1;
  if (good) {
    contexts_.Put(std::move(context));
  } else {
    ERR_clear_error();
  }
  return good;
}

}  // namespace gatehouse::jose
