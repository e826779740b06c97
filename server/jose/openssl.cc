#include "server/jose/openssl.h"

#include <cstdio>
#include <cstdlib>

#include "server/jose/base64url.h"

namespace gatehouse::jose {
namespace {

// `out` has room for SizeOf(hash) bytes.
void HashInto(Hash hash, absl::string_view bytes, unsigned char* out) {
  thread_local const EvpMdCtx context(EVP_MD_CTX_new());
  unsigned int size = 0;
  if (EVP_DigestInit_ex2(context.get(), HashMethod(hash), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), out, &size) != 1 || size != SizeOf(hash)) {
    // A wrong digest would give tokens the identity of others.
    std::fputs("SHA-2 failed: OpenSSL is unusable\n", stderr);
    std::abort();
  }
}

}  // namespace

const char* OpensslName(Hash hash) {
  constexpr std::array<const char*, kHashCount> kNames = {"SHA256", "SHA384", "SHA512"};
  return kNames[static_cast<size_t>(hash)];
}

const EVP_MD* HashMethod(Hash hash) {
  static const std::array<const EVP_MD*, kHashCount> methods = {
      EVP_MD_fetch(nullptr, OpensslName(Hash::kSha256), nullptr),
      EVP_MD_fetch(nullptr, OpensslName(Hash::kSha384), nullptr),
      EVP_MD_fetch(nullptr, OpensslName(Hash::kSha512), nullptr)};
  return methods[static_cast<size_t>(hash)];
}

Digest DigestOf(Hash hash, absl::string_view bytes) {
  Digest digest{};
  HashInto(hash, bytes, digest.data());
  return digest;
}

std::array<uint8_t, 32> Sha256(absl::string_view bytes) {
  std::array<uint8_t, 32> digest{};
  HashInto(Hash::kSha256, bytes, digest.data());
  return digest;
}

std::string ThumbprintOf(absl::string_view canonical_json) {
  const std::array<uint8_t, 32> digest = Sha256(canonical_json);
  return EncodeBase64Url(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

}  // namespace gatehouse::jose
