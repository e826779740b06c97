#include "server/jose/sign.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/jose/base64url.h"

namespace gatehouse::jose {
namespace {

// Without a callback OpenSSL would ask the terminal.
int NoPassword(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) { return -1; }

bool IsPlainTyp(absl::string_view typ) {
  for (const char c : typ) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        absl::string_view("+-./").find(c) == absl::string_view::npos) {
      return false;
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<SigningKey> SigningKey::FromKey(EvpPkey key) {
  std::string raw(32, '\0');
  size_t size = raw.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), Bytes(raw), &size) != 1 || size != raw.size()) {
    return absl::InternalError("the Ed25519 public key cannot be read");
  }
  std::string x = EncodeBase64Url(raw);
  std::string kid = ThumbprintOf(absl::StrCat(R"({"crv":"Ed25519","kty":"OKP","x":")", x, "\"}"));
  return SigningKey(std::move(key), std::move(x), std::move(kid));
}

absl::StatusOr<SigningKey> SigningKey::Generate() {
  EvpPkey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (key == nullptr) return absl::InternalError("no Ed25519 key could be generated");
  return FromKey(std::move(key));
}

absl::StatusOr<SigningKey> SigningKey::FromPem(const Secret& pem) {
  const Bio bio(BIO_new_mem_buf(pem.Reveal().data(), static_cast<int>(pem.size())));
  EvpPkey key(bio == nullptr ? nullptr
                             : PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr));
  ERR_clear_error();
  if (key == nullptr || EVP_PKEY_is_a(key.get(), "ED25519") != 1) {
    return absl::InvalidArgumentError(
        "not an Ed25519 private key in PEM form without a password (PKCS #8)");
  }
  return FromKey(std::move(key));
}

absl::StatusOr<Secret> SigningKey::ToPem() const {
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (bio == nullptr ||
      PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return absl::InternalError("the private key cannot be written as PEM");
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  if (size <= 0) return absl::InternalError("the private key cannot be written as PEM");
  return Secret(std::string(data, static_cast<size_t>(size)));
}

std::string SigningKey::PublicJwks() const {
  return absl::StrCat(R"({"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":")",
                      kid_, R"(","x":")", x_, "\"}]}\n");
}

absl::StatusOr<std::string> SigningKey::Sign(absl::string_view claims_json,
                                             absl::string_view typ) const {
  if (!IsPlainTyp(typ)) return absl::InvalidArgumentError("typ: not a media type");
  const std::string header =
      absl::StrCat(R"({"alg":"EdDSA",)", typ.empty() ? "" : absl::StrCat(R"("typ":")", typ, "\","),
                   R"("kid":")", kid_, "\"}");
  std::string token = absl::StrCat(EncodeBase64Url(header), ".", EncodeBase64Url(claims_json));
  std::array<char, 64> signature{};
  size_t size = signature.size();
  const EvpMdCtx context(EVP_MD_CTX_new());
  if (context == nullptr ||
      EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key_.get(),
                            nullptr) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     Bytes(token), token.size()) != 1 ||
      size != signature.size()) {
    return absl::InternalError("signing failed");
  }
  absl::StrAppend(&token, ".",
                  EncodeBase64Url(absl::string_view(signature.data(), signature.size())));
  return token;
}

}  // namespace gatehouse::jose
