#include "tests/support/token_maker.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

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
using jose::KeyKind;

void Must(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "TokenMaker: %s failed\n", what);
  std::abort();
}

// Of EC keys: the curve, as a JWK and as OpenSSL call it, and a coordinate's bytes.
struct Curve {
  const char* name;
  size_t bytes;
};

Curve CurveOf(KeyKind kind) {
  switch (kind) {
    case KeyKind::kEcP384:
      return {"P-384", 48};
    case KeyKind::kEcP521:
      return {"P-521", 66};
    default:
      return {"P-256", 32};
  }
}

EVP_PKEY* Generate(KeyKind kind, int rsa_bits) {
  switch (kind) {
    case KeyKind::kEd25519:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    case KeyKind::kEcP256:
    case KeyKind::kEcP384:
    case KeyKind::kEcP521:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", CurveOf(kind).name);
    case KeyKind::kRsa:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<size_t>(rsa_bits));
    case KeyKind::kHmac:
      break;
  }
  return nullptr;
}

std::string RandomText() {
  std::string bytes(48, '\0');
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
std::string Members(KeyKind kind, EVP_PKEY* key, absl::string_view secret) {
  std::string raw(133, '\0');
  size_t size = 0;
  switch (kind) {
    case KeyKind::kEd25519:
      size = raw.size();
      Must(EVP_PKEY_get_raw_public_key(key, Bytes(raw), &size) == 1, "reading the key");
      return absl::StrCat(R"("crv":"Ed25519","kty":"OKP","x":")",
                          EncodeBase64Url(absl::string_view(raw).substr(0, size)), "\"");
    case KeyKind::kEcP256:
    case KeyKind::kEcP384:
    case KeyKind::kEcP521: {
      const Curve curve = CurveOf(kind);
      Must(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, Bytes(raw), raw.size(),
                                           &size) == 1 &&
               size == 1 + 2 * curve.bytes,
           "reading the key");
      const absl::string_view point = absl::string_view(raw).substr(1, 2 * curve.bytes);
      return absl::StrCat(R"("crv":")", curve.name, R"(","kty":"EC","x":")",
                          EncodeBase64Url(point.substr(0, curve.bytes)), R"(","y":")",
                          EncodeBase64Url(point.substr(curve.bytes)), "\"");
    }
    case KeyKind::kRsa:
      return absl::StrCat(R"("e":")", Number(key, OSSL_PKEY_PARAM_RSA_E), R"(","kty":"RSA","n":")",
                          Number(key, OSSL_PKEY_PARAM_RSA_N), "\"");
    case KeyKind::kHmac:
      break;
  }
  return absl::StrCat(R"("k":")", EncodeBase64Url(secret), R"(","kty":"oct")");
}

// ECDSA's DER to JWS's raw r || s.
std::string RawEcdsa(const std::string& der, size_t bytes) {
  const unsigned char* in = Bytes(absl::string_view(der));
  const std::unique_ptr<ECDSA_SIG, jose::FreeWith<ECDSA_SIG_free>> signature(
      d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size())));
  Must(signature != nullptr, "d2i_ECDSA_SIG");
  std::string raw(2 * bytes, '\0');
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), Bytes(raw), static_cast<int>(bytes));
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), Bytes(raw) + bytes, static_cast<int>(bytes));
  return raw;
}

}  // namespace

TokenMaker::TokenMaker(Algorithm algorithm, absl::string_view kid, int rsa_bits)
    : algorithm_(algorithm),
      key_(Generate(jose::KindOf(algorithm), rsa_bits), jose::FreeWith<EVP_PKEY_free>()) {
  const bool symmetric = jose::IsSymmetric(algorithm);
  if (symmetric) secret_ = RandomText();
  Must(symmetric || key_ != nullptr, "key generation");
  members_ = Members(jose::KindOf(algorithm), key_.get(), secret_);
  thumbprint_ = jose::ThumbprintOf(absl::StrCat("{", members_, "}"));
  if (!symmetric) kid_ = kid.empty() ? thumbprint_ : std::string(kid);
}

TokenMaker TokenMaker::As(Algorithm algorithm) const {
  Must(jose::KindOf(algorithm) == jose::KindOf(algorithm_), "using a key of another kind");
  TokenMaker other = *this;
  other.algorithm_ = algorithm;
  return other;
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
  return SignatureOf(signing_input, RSA_PSS_SALTLEN_DIGEST);
}

std::string TokenMaker::SignatureOf(absl::string_view signing_input, int pss_salt_bytes) const {
  const char* const hash = jose::OpensslName(jose::HashOf(algorithm_));
  std::string signature(1024, '\0');
  size_t size = signature.size();
  if (jose::IsSymmetric(algorithm_)) {
    Must(EVP_Q_mac(nullptr, "HMAC", nullptr, hash, nullptr, secret_.data(), secret_.size(),
                   Bytes(signing_input), signing_input.size(), Bytes(signature), signature.size(),
                   &size) != nullptr,
         "HMAC");
    signature.resize(size);
    return signature;
  }
  const jose::Scheme scheme = jose::SchemeOf(algorithm_);
  const jose::EvpMdCtx context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* inner = nullptr;  // the context's
  Must(EVP_DigestSignInit_ex(context.get(), &inner,
                             scheme == jose::Scheme::kMessage ? nullptr : hash, nullptr, nullptr,
                             key_.get(), nullptr) == 1,
       "signing");
  if (scheme == jose::Scheme::kPss) {
    Must(EVP_PKEY_CTX_set_rsa_padding(inner, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(inner, pss_salt_bytes) == 1,
         "PSS");
  }
  Must(EVP_DigestSign(context.get(), Bytes(signature), &size, Bytes(signing_input),
                      signing_input.size()) == 1,
       "signing");
  signature.resize(size);
  if (scheme != jose::Scheme::kEcdsa) return signature;
  return RawEcdsa(signature, CurveOf(jose::KindOf(algorithm_)).bytes);
}

}  // namespace gatehouse
