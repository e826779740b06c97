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

constexpr size_t kMaxCoordinateBytes = 66;

struct Curve {
  KeyKind kind;
  const char* name;  // the JWK's and OpenSSL's
  size_t coordinate_bytes;
};
constexpr std::array<Curve, 3> kCurves = {{
    {KeyKind::kEcP256, "P-256", 32},
    {KeyKind::kEcP384, "P-384", 48},
    {KeyKind::kEcP521, "P-521", kMaxCoordinateBytes},
}};

const Curve& CurveOf(KeyKind kind) {
  for (const Curve& curve : kCurves) {
    if (curve.kind == kind) return curve;
  }
  return kCurves[0];
}

// The order n of the base point, as long as a coordinate; empty if OpenSSL fails.
std::string OrderOf(EVP_PKEY* key, size_t bytes) {
  BIGNUM* raw = nullptr;
  const bool known = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_ORDER, &raw) == 1;
  const Bignum order(raw);
  std::string text(bytes, '\0');
  if (!known || BN_bn2binpad(raw, Bytes(text), static_cast<int>(bytes)) < 0) return "";
  return text;
}

// A signature as OpenSSL wants it: SEQUENCE { INTEGER r, INTEGER s }.
class Der {
 public:
  Der(absl::string_view r, absl::string_view s) {
    Append(r);
    Append(s);
    const size_t content = end_ - kHead;
    begin_ = content < 0x80 ? 1 : 0;
    bytes_[begin_] = 0x30;
    if (begin_ == 0) bytes_[1] = 0x81;
    bytes_[2] = static_cast<unsigned char>(content);
  }

  absl::Span<const unsigned char> bytes() const {
    return absl::MakeConstSpan(bytes_).subspan(begin_, end_ - begin_);
  }

 private:
  static constexpr size_t kHead = 3;

  void Append(absl::string_view number) {
    const size_t leading = number.find_first_not_of('\0');
    number.remove_prefix(leading == absl::string_view::npos ? number.size() - 1 : leading);
    const bool pad = (static_cast<unsigned char>(number[0]) & 0x80) != 0;
    bytes_[end_++] = 0x02;
    bytes_[end_++] = static_cast<unsigned char>(number.size() + (pad ? 1 : 0));
    if (pad) bytes_[end_++] = 0;
    std::memcpy(&bytes_[end_], number.data(), number.size());
    end_ += number.size();
  }

  size_t begin_ = 0;
  size_t end_ = kHead;
  std::array<unsigned char, kHead + 2 * (3 + kMaxCoordinateBytes)> bytes_{};
};

class EcKey final : public DigestKey {
 public:
  EcKey(KeyDescription description, EvpPkey key, std::string order)
      : DigestKey(std::move(description), std::move(key)), order_(std::move(order)) {}

 private:
  bool VerifyAccepted(Algorithm algorithm, const SigningInput& input,
                      absl::string_view signature) const override {
    const size_t half = order_.size();
    if (signature.size() != 2 * half) return false;
    const absl::string_view r = signature.substr(0, half);
    const absl::string_view s = signature.substr(half);
    if (!IsInRange(r) || !IsInRange(s)) return false;
    return VerifyDigest(algorithm, input, Der(r, s).bytes());
  }

  // Whether 1 <= number <= n - 1.
  bool IsInRange(absl::string_view number) const {
    return number.find_first_not_of('\0') != absl::string_view::npos &&
           std::memcmp(number.data(), order_.data(), order_.size()) < 0;
  }

  const std::string order_;
};

EvpPkey MakePoint(const Curve& curve, absl::string_view x, absl::string_view y) {
  std::string point = absl::StrCat("\x04", x, y);
  std::string group = curve.name;
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

KeyOrError MakeEcKey(KeyLabel label, KeyKind kind, absl::string_view x, absl::string_view y) {
  const Curve& curve = CurveOf(kind);
  const size_t bytes = curve.coordinate_bytes;
  if (x.size() != bytes || y.size() != bytes) {
    return absl::InvalidArgumentError(absl::StrCat("x or y is not ", bytes, " bytes"));
  }
  EvpPkey key = MakePoint(curve, x, y);
  if (key == nullptr) {
    ERR_clear_error();
    return absl::InvalidArgumentError(absl::StrCat("x and y are no point of ", curve.name));
  }
  std::string order = OrderOf(key.get(), bytes);
  if (order.empty()) return absl::InternalError("the curve's order cannot be read");
  std::string thumbprint =
      ThumbprintOf(absl::StrCat(R"({"crv":")", curve.name, R"(","kty":"EC","x":")",
                                EncodeBase64Url(x), R"(","y":")", EncodeBase64Url(y), "\"}"));
  return std::make_shared<EcKey>(
      KeyDescription{std::move(label.kid), kind, label.algorithms, std::move(thumbprint)},
      std::move(key), std::move(order));
}

}  // namespace gatehouse::jose
