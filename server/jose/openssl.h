#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "server/jose/algorithms.h"

// Owners for OpenSSL's objects, and the digests that the folder shares.
namespace gatehouse::jose {

template <auto Function>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    Function(object);
  }
};

using EvpPkey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using EvpPkeyCtx = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using EvpMdCtx = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using EvpMacCtx = std::unique_ptr<EVP_MAC_CTX, FreeWith<EVP_MAC_CTX_free>>;
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using Bignum = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;

// OpenSSL wants unsigned bytes everywhere.
inline const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* Bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

// OpenSSL's name of a hash.
const char* OpensslName(Hash hash);

// Fetched once. Valid as long as the program.
const EVP_MD* HashMethod(Hash hash);

// SizeOf(hash) bytes, and zeros behind them.
using Digest = std::array<uint8_t, 64>;

// Thread-safe; allocate nothing after a thread's first call.
Digest DigestOf(Hash hash, absl::string_view bytes);
std::array<uint8_t, 32> Sha256(absl::string_view bytes);

// RFC 7638: base64url of the SHA-256 of a key's required members as canonical JSON.
std::string ThumbprintOf(absl::string_view canonical_json);

}  // namespace gatehouse::jose
