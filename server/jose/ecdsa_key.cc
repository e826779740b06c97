#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include <array>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/jose/base64url.h"
#include "server/jose/digest_key.h"
#include "server/jose/public_keys.h"

namespace gatehouse::jose {
namespace {

constexpr size_t kCoordinateBytes = 32;

// The order n of P-256's base point, FIPS 186-4 D.1.2.3.
constexpr std::array<unsigned char, kCoordinateBytes> kOrder = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};

// Whether 1 <= number <= n - 1.
bool IsInRange(absl::string_view number) {
  constexpr std::array<char, kCoordinateBytes> kZero{};
  return std::memcmp(number.data(), kZero.data(), kCoordinateBytes) != 0 &&
         std::memcmp(number.data(), kOrder.data(), kCoordinateBytes) < 0;
}

// Appends a DER INTEGER to `der`, which has room for 35 more bytes.
size_t AppendInteger(absl::string_view number, size_t at, std::array<char, 72>& der) {
  const size_t leading = number.find_first_not_of('\0');
  number.remove_prefix(leading == absl::string_view::npos ? number.size() - 1 : leading);
  const bool pad = (static_cast<unsigned char>(number[0]) & 0x80) != 0;
  der[at++] = 0x02;
  der[at++] = static_cast<char>(number.size() + (pad ? 1 : 0));
  if (pad) der[at++] = 0;
  std::memcpy(&der[at], number.data(), number.size());
  return at + number.size();
}

class Es256Key final : public DigestKey {
 public:
  Es256Key(std::optional<std::string> kid, std::string thumbprint, EvpPkey key)
      : DigestKey(std::move(kid), Algorithm::kEs256, std::move(thumbprint), std::move(key)) {}

  bool Verify(absl::string_view signing_input, absl::string_view signature) const override {
    if (signature.size() != 2 * kCoordinateBytes) return false;
    const absl::string_view r = signature.substr(0, kCoordinateBytes);
    const absl::string_view s = signature.substr(kCoordinateBytes);
    if (!IsInRange(r) || !IsInRange(s)) return false;
    std::array<char, 72> der{};
    size_t size = AppendInteger(r, 2, der);
    size = AppendInteger(s, size, der);
    der[0] = 0x30;
    der[1] = static_cast<char>(size - 2);
    return VerifyDigest(Sha256(signing_input), absl::string_view(der.data(), size));
  }
};

EvpPkey MakePoint(absl::string_view x, absl::string_view y) {
  std::string point = absl::StrCat("\x04", x, y);
  std::string group = "P-256";
  const std::array<OSSL_PARAM, 3> params = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size()),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  const EvpPkeyCtx maker(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (maker == nullptr || EVP_PKEY_fromdata_init(maker.get()) != 1 ||
      EVP_PKEY_fromdata(maker.get(), &key, EVP_PKEY_PUBLIC_KEY,
                        const_cast<OSSL_PARAM*>(params.data())) != 1) {
    return nullptr;
  }
  EvpPkey owner(key);
  const EvpPkeyCtx checker(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (checker == nullptr || EVP_PKEY_public_check(checker.get()) != 1) return nullptr;
  return owner;
}

}  // namespace

KeyOrError MakeEs256Key(std::optional<std::string> kid, absl::string_view x, absl::string_view y) {
  if (x.size() != kCoordinateBytes || y.size() != kCoordinateBytes) {
    return absl::InvalidArgumentError("x or y is not 32 bytes");
  }
  EvpPkey key = MakePoint(x, y);
  if (key == nullptr) {
    ERR_clear_error();
    return absl::InvalidArgumentError("x and y are no point of P-256");
  }
  std::string thumbprint =
      ThumbprintOf(absl::StrCat(R"({"crv":"P-256","kty":"EC","x":")", EncodeBase64Url(x),
                                R"(","y":")", EncodeBase64Url(y), "\"}"));
  return std::make_shared<Es256Key>(std::move(kid), std::move(thumbprint), std::move(key));
}

}  // namespace gatehouse::jose
