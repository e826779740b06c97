#include "server/jose/hmac_key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>

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

class Hs256Key final : public VerificationKey {
 public:
  Hs256Key(std::string thumbprint, Secret secret)
      : VerificationKey(std::nullopt, Algorithm::kHs256, std::move(thumbprint)),
        secret_(std::move(secret)) {}

  bool Verify(absl::string_view signing_input, absl::string_view signature) const override {
    std::array<unsigned char, 32> mac{};
    if (signature.size() != mac.size()) return false;
    EvpMacCtx context = Prepared();
    size_t size = 0;
    if (context == nullptr ||
        EVP_MAC_update(context.get(), Bytes(signing_input), signing_input.size()) != 1 ||
        EVP_MAC_final(context.get(), mac.data(), &size, mac.size()) != 1 || size != mac.size()) {
      ERR_clear_error();
      return false;
    }
    contexts_.Put(std::move(context));
    return CRYPTO_memcmp(mac.data(), signature.data(), mac.size()) == 0;
  }

  // Whether it works at all, so that a broken OpenSSL shows when the key is made.
  bool IsUsable() const { return Prepared() != nullptr; }

 private:
  EvpMacCtx Prepared() const {
    EvpMacCtx context = contexts_.Take();
    // Without a key: begin anew with the one it has.
    if (context != nullptr && EVP_MAC_init(context.get(), nullptr, 0, nullptr) == 1) return context;
    context.reset(EVP_MAC_CTX_new(HmacMethod()));
    std::string digest = "SHA256";
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
  const ContextPool<EvpMacCtx> contexts_;
};

std::string SecretThumbprint(const Secret& secret) {
  const Secret encoded(EncodeBase64Url(secret.Reveal()));
  const Secret json(absl::StrCat(R"({"k":")", encoded.Reveal(), R"(","kty":"oct"})"));
  return ThumbprintOf(json.Reveal());
}

}  // namespace

absl::StatusOr<std::shared_ptr<const VerificationKey>> MakeHmacKey(Secret secret) {
  GH_RETURN_IF_ERROR(CheckHmacSecret(secret.Reveal()));
  return MakeHmacKeyOfAnyStrength(std::move(secret));
}

absl::StatusOr<std::shared_ptr<const VerificationKey>> MakeHmacKeyOfAnyStrength(Secret secret) {
  std::string thumbprint = SecretThumbprint(secret);
  auto key = std::make_shared<Hs256Key>(std::move(thumbprint), std::move(secret));
  if (!key->IsUsable()) return absl::InternalError("OpenSSL has no HMAC with SHA-256");
  return key;
}

}  // namespace gatehouse::jose
