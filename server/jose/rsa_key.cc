#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/jose/base64url.h"
#include "server/jose/digest_key.h"
#include "server/jose/public_keys.h"

namespace gatehouse::jose {
namespace {

constexpr int kMinModulusBits = 2048;
constexpr int kMaxModulusBits = 8192;
constexpr BN_ULONG kMinExponent = 65537;
constexpr int kMaxExponentBits = 64;

class RsaKey final : public DigestKey {
 public:
  RsaKey(KeyDescription description, EvpPkey pkey)
      : DigestKey(std::move(description), std::move(pkey)),
        signature_bytes_(static_cast<size_t>(EVP_PKEY_get_size(key()))) {}

 private:
  bool VerifyAccepted(Algorithm algorithm, const SigningInput& input,
                      absl::string_view signature) const override {
    if (signature.size() != signature_bytes_) return false;
    return VerifyDigest(algorithm, input, absl::MakeConstSpan(Bytes(signature), signature.size()));
  }

  const size_t signature_bytes_;
};

absl::Status CheckNumbers(absl::string_view n_bytes, const BIGNUM* n, const BIGNUM* e) {
  if (BN_num_bits(n) < kMinModulusBits) {
    return absl::InvalidArgumentError("RSA modulus below 2048 bits");
  }
  if (n_bytes.size() > kMaxModulusBits / 8) {
    return absl::InvalidArgumentError("RSA modulus above 8192 bits");
  }
  if (BN_is_odd(n) != 1) return absl::InvalidArgumentError("RSA modulus is even");
  const Bignum least(BN_new());
  if (least == nullptr || BN_set_word(least.get(), kMinExponent) != 1) {
    return absl::InternalError("out of memory");
  }
  if (BN_is_odd(e) != 1 || BN_cmp(e, least.get()) < 0) {
    return absl::InvalidArgumentError("RSA public exponent is even or below 65537");
  }
  if (BN_num_bits(e) > kMaxExponentBits) {
    return absl::InvalidArgumentError("RSA public exponent above 64 bits");
  }
  return absl::OkStatus();
}

EvpPkey MakePublicKey(const BIGNUM* n, const BIGNUM* e) {
  const std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>> builder(
      OSSL_PARAM_BLD_new());
  if (builder == nullptr || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e) != 1) {
    return nullptr;
  }
  const std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>> params(
      OSSL_PARAM_BLD_to_param(builder.get()));
  const EvpPkeyCtx maker(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || maker == nullptr || EVP_PKEY_fromdata_init(maker.get()) != 1 ||
      EVP_PKEY_fromdata(maker.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return EvpPkey(key);
}

}  // namespace

KeyOrError MakeRsaKey(KeyLabel label, absl::string_view n, absl::string_view e) {
  if (n.empty() || e.empty() || n[0] == '\0' || e[0] == '\0') {
    return absl::InvalidArgumentError("n or e is empty or begins with a zero byte");
  }
  const Bignum modulus(BN_bin2bn(Bytes(n), static_cast<int>(n.size()), nullptr));
  const Bignum exponent(BN_bin2bn(Bytes(e), static_cast<int>(e.size()), nullptr));
  if (modulus == nullptr || exponent == nullptr) return absl::InternalError("out of memory");
  if (absl::Status status = CheckNumbers(n, modulus.get(), exponent.get()); !status.ok()) {
    return status;
  }
  EvpPkey key = MakePublicKey(modulus.get(), exponent.get());
  if (key == nullptr) {
    ERR_clear_error();
    return absl::InvalidArgumentError("OpenSSL does not take the RSA key");
  }
  std::string thumbprint = ThumbprintOf(absl::StrCat(
      R"({"e":")", EncodeBase64Url(e), R"(","kty":"RSA","n":")", EncodeBase64Url(n), "\"}"));
  return std::make_shared<RsaKey>(
      KeyDescription{std::move(label.kid), KeyKind::kRsa, label.algorithms, std::move(thumbprint)},
      std::move(key));
}

}  // namespace gatehouse::jose
