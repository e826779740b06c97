#include "tests/bench/bare_verify.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "server/jose/base64url.h"
#include "server/jose/jws.h"

namespace gatehouse::bench {
namespace {

void Must(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "OpenSSL failed: %s\n", what);
  std::abort();
}

// A base64url member of a JWK.
std::string Member(const std::string& jwk, const std::string& name) {
  const std::string before = "\"" + name + "\":\"";
  const size_t begin = jwk.find(before);
  Must(begin != std::string::npos, "no such member");
  const size_t from = begin + before.size();
  return jose::DecodeBase64Url(jwk.substr(from, jwk.find('"', from) - from)).value_or("");
}

jose::EvpPkey RsaKey(const std::string& n, const std::string& e) {
  const jose::Bignum modulus(
      BN_bin2bn(jose::Bytes(absl::string_view(n)), static_cast<int>(n.size()), nullptr));
  const jose::Bignum exponent(
      BN_bin2bn(jose::Bytes(absl::string_view(e)), static_cast<int>(e.size()), nullptr));
  const std::unique_ptr<OSSL_PARAM_BLD, jose::FreeWith<OSSL_PARAM_BLD_free>> builder(
      OSSL_PARAM_BLD_new());
  Must(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) == 1 &&
           OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) == 1,
       "OSSL_PARAM_BLD_push_BN");
  const std::unique_ptr<OSSL_PARAM, jose::FreeWith<OSSL_PARAM_free>> params(
      OSSL_PARAM_BLD_to_param(builder.get()));
  const jose::EvpPkeyCtx context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  Must(EVP_PKEY_fromdata_init(context.get()) == 1 &&
           EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) == 1,
       "EVP_PKEY_fromdata");
  return jose::EvpPkey(key);
}

jose::EvpPkey PublicKeyOf(const TokenMaker& maker) {
  const std::string jwk = maker.Jwk();
  if (maker.algorithm() == jose::Algorithm::kRs256) {
    return RsaKey(Member(jwk, "n"), Member(jwk, "e"));
  }
  const std::string x = Member(jwk, "x");
  return jose::EvpPkey(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr,
                                                      jose::Bytes(absl::string_view(x)), x.size()));
}

}  // namespace

BareInput BareInputOf(absl::string_view token) {
  const auto jws = jose::SplitCompactJws(token);
  Must(jws.ok(), "no token");
  return {std::string(jws->signing_input),
          jose::DecodeBase64Url(jws->signature).value_or(std::string())};
}

BareVerifier::BareVerifier(const TokenMaker& maker)
    : rsa_(maker.algorithm() == jose::Algorithm::kRs256),
      key_(PublicKeyOf(maker)),
      digest_(EVP_MD_CTX_new()) {
  Must(key_ != nullptr && digest_ != nullptr, "the key");
  if (!rsa_) {
    Must(EVP_DigestVerifyInit_ex(digest_.get(), nullptr, nullptr, nullptr, nullptr, key_.get(),
                                 nullptr) == 1,
         "EVP_DigestVerifyInit_ex");
    return;
  }
  verify_.reset(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  Must(verify_ != nullptr && EVP_PKEY_verify_init(verify_.get()) == 1 &&
           EVP_PKEY_CTX_set_signature_md(verify_.get(), jose::HashMethod(jose::Hash::kSha256)) == 1,
       "EVP_PKEY_verify_init");
}

bool BareVerifier::Verify(const BareInput& input) const {
  const unsigned char* const signature = jose::Bytes(absl::string_view(input.signature));
  const unsigned char* const text = jose::Bytes(absl::string_view(input.signing_input));
  if (!rsa_) {
    return EVP_DigestVerifyInit_ex(digest_.get(), nullptr, nullptr, nullptr, nullptr, nullptr,
                                   nullptr) == 1 &&
           EVP_DigestVerify(digest_.get(), signature, input.signature.size(), text,
                            input.signing_input.size()) == 1;
  }
  std::array<unsigned char, 32> digest;
  unsigned int size = 0;
  return EVP_DigestInit_ex2(digest_.get(), jose::HashMethod(jose::Hash::kSha256), nullptr) == 1 &&
         EVP_DigestUpdate(digest_.get(), text, input.signing_input.size()) == 1 &&
         EVP_DigestFinal_ex(digest_.get(), digest.data(), &size) == 1 &&
         EVP_PKEY_verify(verify_.get(), signature, input.signature.size(), digest.data(), size) ==
             1;
}

}  // namespace gatehouse::bench
