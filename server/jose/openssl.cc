#include "server/jose/openssl.h"

#include <cstdio>
#include <cstdlib>

#include "server/jose/base64url.h"

namespace gatehouse::jose {

const EVP_MD* Sha256Method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return method;
}

std::array<uint8_t, 32> Sha256(absl::string_view bytes) {
  thread_local const EvpMdCtx context(EVP_MD_CTX_new());
  std::array<uint8_t, 32> digest{};
  unsigned int size = 0;
  if (EVP_DigestInit_ex2(context.get(), Sha256Method(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), digest.data(), &size) != 1 || size != digest.size()) {
    // A wrong digest would give tokens the identity of others.
    std::fputs("SHA-256 failed: OpenSSL is unusable\n", stderr);
    std::abort();
  }
  return digest;
}

std::string ThumbprintOf(absl::string_view canonical_json) {
  const std::array<uint8_t, 32> digest = Sha256(canonical_json);
  return EncodeBase64Url(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

}  // namespace gatehouse::jose
