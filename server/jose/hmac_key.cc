#include "server/jose/hmac_key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/jose/base64url.h"
#include "server/jose/context_pool.h"
#include "server/jose/openssl.h"
#include "server/jose/weak_secret.h"

namespace gatehouse::jose {
namespace {

EVP_MAC* HmacMethod() {
  static EVP_MAC* const method = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  return method;
}

class HmacKey final : public VerificationKey {
 public:
  HmacKey(KeyDescription description, Secret secret)
      : VerificationKey(std::move(description)), secret_(std::move(secret)) {}

  // Whether it works at all, so that a broken OpenSSL shows when the key is made.
  bool IsUsable() const {
    for (const Algorithm algorithm : Algorithms()) {
      if (Accepts(algorithm) && Prepared(HashOf(algorithm)) == nullptr) return false;
    }
    return true;
  }

 private:
  bool VerifyAccepted(Algorithm algorithm, const SigningInput& input,
                      absl::string_view signature) const override {
    const Hash hash = HashOf(algorithm);
    Digest mac{};
    if (signature.size() != SizeOf(hash)) return false;
    EvpMacCtx context = Prepared(hash);
    size_t size = 0;
    if (context == nullptr ||
        EVP_MAC_update(context.get(), Bytes(input.bytes()), input.bytes().size()) != 1 ||
        EVP_MAC_final(context.get(), mac.data(), &size, mac.size()) != 1 ||
        size != signature.size()) {
      ERR_clear_error();
      return false;
    }
    PoolOf(hash).Put(std::move(context));
    return CRYPTO_memcmp(mac.data(), signature.data(), size) == 0;
  }

  const ContextPool<EvpMacCtx>& PoolOf(Hash hash) const {
    return pools_[static_cast<size_t>(hash)];
  }

  EvpMacCtx Prepared(Hash hash) const {
    EvpMacCtx context = PoolOf(hash).Take();
    // Without a key: begin anew with the one it has.
    if (context != nullptr && EVP_MAC_init(context.get(), nullptr, 0, nullptr) == 1) return context;
    context.reset(EVP_MAC_CTX_new(HmacMethod()));
    std::string digest = OpensslName(hash);
    const std::array<OSSL_PARAM, 2> params = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), digest.size()),
        OSSL_PARAM_construct_end()};
    const absl::string_view secret = secret_.Reveal();
    if (context == nullptr ||
        EVP_MAC_init(context.get(), Bytes(secret), secret.size(), params.data()) != 1) {
      ERR_clear_error();
      return nullptr;
    }
    return context;
  }

  const Secret secret_;
  const std::array<ContextPool<EvpMacCtx>, kHashCount> pools_{};
};

std::string SecretThumbprint(const Secret& secret) {
  const Secret encoded(EncodeBase64Url(secret.Reveal()));
  const Secret json(absl::StrCat(R"({"k":")", encoded.Reveal(), R"(","kty":"oct"})"));
  return ThumbprintOf(json.Reveal());
}

absl::Status CheckAlgorithms(const std::vector<Algorithm>& algorithms) {
  if (algorithms.empty()) return absl::InvalidArgumentError("a secret needs an algorithm");
  for (const Algorithm algorithm : algorithms) {
    if (!IsSymmetric(algorithm)) {
      return absl::InvalidArgumentError(
          absl::StrCat(NameOf(algorithm), " is verified with a public key, not with a secret"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const VerificationKey>> MakeHmacKey(
    Secret secret, const std::vector<Algorithm>& algorithms) {
  GH_RETURN_IF_ERROR(CheckAlgorithms(algorithms));
  const Algorithm longest = *std::max_element(
      algorithms.begin(), algorithms.end(),
      [](Algorithm a, Algorithm b) { return SizeOf(HashOf(a)) < SizeOf(HashOf(b)); });
  GH_RETURN_IF_ERROR(CheckHmacSecret(secret.Reveal(), longest));
  return MakeHmacKeyOfAnyStrength(std::move(secret), algorithms);
}

absl::StatusOr<std::shared_ptr<const VerificationKey>> MakeHmacKeyOfAnyStrength(
    Secret secret, const std::vector<Algorithm>& algorithms) {
  GH_RETURN_IF_ERROR(CheckAlgorithms(algorithms));
  KeyDescription description;
  description.kind = KeyKind::kHmac;
  for (const Algorithm algorithm : algorithms) description.algorithms.Add(algorithm);
  description.thumbprint = SecretThumbprint(secret);
  auto key = std::make_shared<HmacKey>(std::move(description), std::move(secret));
  if (!key->IsUsable()) return absl::InternalError("OpenSSL has no HMAC with SHA-2");
  return key;
}

}  // namespace gatehouse::jose
