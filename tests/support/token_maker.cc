#include "tests/support/token_maker.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/jose/base64url.h"

namespace gatehouse {
namespace {

using jose::Algorithm;
using jose::Bytes;
using jose::EncodeBase64Url;

void Must(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "TokenMaker: %s failed\n", what);
  std::abort();
}

EVP_PKEY* Generate(Algorithm algorithm, int rsa_bits) {
  switch (algorithm) {
    case Algorithm::kEdDsa:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    case Algorithm::kEs256:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
    case Algorithm::kRs256:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<size_t>(rsa_bits));
    case Algorithm::kHs256:
      break;
  }
  return nullptr;
}

std::string RandomText() {
  std::string bytes(36, '\0');
  Must(RAND_bytes(Bytes(bytes), static_cast<int>(bytes.size())) == 1, "RAND_bytes");
  return EncodeBase64Url(bytes);
}

std::string Number(EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  Must(EVP_PKEY_get_bn_param(key, name, &raw) == 1, name);
  const jose::Bignum number(raw);
  std::string bytes(static_cast<size_t>(BN_num_bytes(raw)), '\0');
  BN_bn2bin(raw, Bytes(bytes));
  return EncodeBase64Url(bytes);
}

// In the order of RFC 7638.
std::string Members(Algorithm algorithm, EVP_PKEY* key, absl::string_view secret) {
  std::string raw(65, '\0');
  size_t size = 0;
  switch (algorithm) {
    case Algorithm::kEdDsa:
      size = raw.size();
      Must(EVP_PKEY_get_raw_public_key(key, Bytes(raw), &size) == 1, "reading the key");
      return absl::StrCat(R"("crv":"Ed25519","kty":"OKP","x":")",
                          EncodeBase64Url(absl::string_view(raw).substr(0, size)), "\"");
    case Algorithm::kEs256:
      Must(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, Bytes(raw), raw.size(),
                                           &size) == 1 &&
               size == 65,
           "reading the key");
      return absl::StrCat(R"("crv":"P-256","kty":"EC","x":")",
                          EncodeBase64Url(absl::string_view(raw).substr(1, 32)), R"(","y":")",
                          EncodeBase64Url(absl::string_view(raw).substr(33, 32)), "\"");
    case Algorithm::kRs256:
      return absl::StrCat(R"("e":")", Number(key, OSSL_PKEY_PARAM_RSA_E), R"(","kty":"RSA","n":")",
                          Number(key, OSSL_PKEY_PARAM_RSA_N), "\"");
    case Algorithm::kHs256:
      break;
  }
  return absl::StrCat(R"("k":")", EncodeBase64Url(secret), R"(","kty":"oct")");
}

// ECDSA's DER to JWS's raw r || s.
std::string RawEcdsa(const std::string& der) {
  const unsigned char* in = Bytes(absl::string_view(der));
  const std::unique_ptr<ECDSA_SIG, jose::FreeWith<ECDSA_SIG_free>> signature(
      d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size())));
  Must(signature != nullptr, "d2i_ECDSA_SIG");
  std::string raw(64, '\0');
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), Bytes(raw), 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), Bytes(raw) + 32, 32);
  return raw;
}

}  // namespace

TokenMaker::TokenMaker(Algorithm algorithm, absl::string_view kid, int rsa_bits)
    : algorithm_(algorithm), key_(Generate(algorithm, rsa_bits)) {
  if (algorithm == Algorithm::kHs256) {
    secret_ = RandomText();
  } else {
    Must(key_ != nullptr, "key generation");
  }
  members_ = Members(algorithm, key_.get(), secret_);
  thumbprint_ = jose::ThumbprintOf(absl::StrCat("{", members_, "}"));
  if (algorithm != Algorithm::kHs256) kid_ = kid.empty() ? thumbprint_ : std::string(kid);
}

std::string TokenMaker::Jwk() const {
  return absl::StrCat("{", kid_.empty() ? "" : absl::StrCat(R"("kid":")", kid_, "\","),
                      R"("alg":")", jose::NameOf(algorithm_), "\",", members_, "}");
}

std::string TokenMaker::JwksOf(std::initializer_list<const TokenMaker*> makers) {
  return absl::StrCat("{\"keys\":[",
                      absl::StrJoin(makers, ",",
                                    [](std::string* out, const TokenMaker* maker) {
                                      absl::StrAppend(out, maker->Jwk());
                                    }),
                      "]}");
}

std::string TokenMaker::Header() const {
  return absl::StrCat(R"({"alg":")", jose::NameOf(algorithm_), "\"",
                      kid_.empty() ? "" : absl::StrCat(R"(,"kid":")", kid_, "\""), "}");
}

std::string TokenMaker::Sign(absl::string_view header_json, absl::string_view claims_json) const {
  const std::string input =
      absl::StrCat(EncodeBase64Url(header_json), ".", EncodeBase64Url(claims_json));
  return absl::StrCat(input, ".", EncodeBase64Url(SignatureOf(input)));
}

std::string TokenMaker::SignatureOf(absl::string_view signing_input) const {
  std::string signature(1024, '\0');
  if (algorithm_ == Algorithm::kHs256) {
    unsigned int size = 0;
    Must(HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()), Bytes(signing_input),
              signing_input.size(), Bytes(signature), &size) != nullptr,
         "HMAC");
    signature.resize(size);
    return signature;
  }
  const char* digest = algorithm_ == Algorithm::kEdDsa ? nullptr : "SHA256";
  const jose::EvpMdCtx context(EVP_MD_CTX_new());
  size_t size = signature.size();
  Must(EVP_DigestSignInit_ex(context.get(), nullptr, digest, nullptr, nullptr, key_.get(),
                             nullptr) == 1 &&
           EVP_DigestSign(context.get(), Bytes(signature), &size, Bytes(signing_input),
                          signing_input.size()) == 1,
       "signing");
  signature.resize(size);
  return algorithm_ == Algorithm::kEs256 ? RawEcdsa(signature) : signature;
}

}  // namespace gatehouse
