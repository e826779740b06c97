#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/jose/base64url.h"
#include "server/jose/context_pool.h"
#include "server/jose/openssl.h"
#include "server/jose/public_keys.h"

namespace gatehouse::jose {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kSignatureBytes = 64;

// The field's prime and the curve's d, RFC 8032 section 5.1.
constexpr char kPrimeHex[] = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
constexpr char kDHex[] = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";

using BnCtx = std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>>;

Bignum FromHex(const char* hex) {
  BIGNUM* number = nullptr;
  BN_hex2bn(&number, hex);
  return Bignum(number);
}

enum class PointKind { kGood, kNotCanonical, kOffCurve, kSmallOrder, kUnknown };

// Of the point whose y coordinate this is (the sign of x does not matter).
//   on the curve:  x^2 = (y^2 - 1) / (d y^2 + 1) is a square
//   small order:   8 P = 0. P has order 1 or 2 if x = 0, 4 if y = 0, and 8 if 2 P
//                  has order 4, which is y(2P) = (x^2 + y^2) / (...) = 0.
PointKind Classify(const BIGNUM* y) {
  const BnCtx ctx(BN_CTX_new());
  const Bignum p = FromHex(kPrimeHex);
  const Bignum d = FromHex(kDHex);
  const Bignum y2(BN_new());
  const Bignum u(BN_new());
  const Bignum v(BN_new());
  const Bignum t(BN_new());
  if (ctx == nullptr || p == nullptr || d == nullptr || y2 == nullptr || u == nullptr ||
      v == nullptr || t == nullptr) {
    return PointKind::kUnknown;
  }
  if (BN_cmp(y, p.get()) >= 0) return PointKind::kNotCanonical;
  if (BN_mod_sqr(y2.get(), y, p.get(), ctx.get()) != 1 ||
      BN_mod_sub(u.get(), y2.get(), BN_value_one(), p.get(), ctx.get()) != 1 ||
      BN_mod_mul(v.get(), d.get(), y2.get(), p.get(), ctx.get()) != 1 ||
      BN_mod_add(v.get(), v.get(), BN_value_one(), p.get(), ctx.get()) != 1 ||
      BN_mod_mul(t.get(), u.get(), v.get(), p.get(), ctx.get()) != 1) {
    return PointKind::kUnknown;
  }
  if (BN_is_zero(u.get()) || BN_is_zero(y)) return PointKind::kSmallOrder;
  if (BN_kronecker(t.get(), p.get(), ctx.get()) != 1) return PointKind::kOffCurve;
  // x^2 + y^2 = 0 is u + y^2 v = 0.
  if (BN_mod_mul(t.get(), y2.get(), v.get(), p.get(), ctx.get()) != 1 ||
      BN_mod_add(t.get(), t.get(), u.get(), p.get(), ctx.get()) != 1) {
    return PointKind::kUnknown;
  }
  return BN_is_zero(t.get()) ? PointKind::kSmallOrder : PointKind::kGood;
}

absl::Status CheckPoint(absl::string_view x) {
  std::array<unsigned char, kKeyBytes> little{};
  std::memcpy(little.data(), x.data(), kKeyBytes);
  little.back() &= 0x7F;  // the sign of x
  const Bignum y(BN_lebin2bn(little.data(), static_cast<int>(little.size()), nullptr));
  switch (y == nullptr ? PointKind::kUnknown : Classify(y.get())) {
    case PointKind::kGood:
      return absl::OkStatus();
    case PointKind::kNotCanonical:
      return absl::InvalidArgumentError("Ed25519 key in a form that is not canonical");
    case PointKind::kOffCurve:
      return absl::InvalidArgumentError("Ed25519 key that is no point of the curve");
    case PointKind::kSmallOrder:
      return absl::InvalidArgumentError("Ed25519 key of small order");
    case PointKind::kUnknown:
      break;
  }
  return absl::InternalError("the Ed25519 key could not be checked");
}

class Ed25519Key final : public VerificationKey {
 public:
  Ed25519Key(KeyDescription description, EvpPkey key)
      : VerificationKey(std::move(description)), key_(std::move(key)) {}

 private:
  bool VerifyAccepted(Algorithm /*algorithm*/, const SigningInput& input,
                      absl::string_view signature) const override {
    if (signature.size() != kSignatureBytes) return false;
    EvpMdCtx context = Prepared();
    if (context == nullptr) return false;
    if (EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(input.bytes()),
                         input.bytes().size()) != 1) {
      ERR_clear_error();
      return false;
    }
    contexts_.Put(std::move(context));
    return true;
  }

  EvpMdCtx Prepared() const {
    EvpMdCtx context = contexts_.Take();
    // Without a key: begin anew with the one it has.
    if (context != nullptr && EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr,
                                                      nullptr, nullptr, nullptr) == 1) {
      return context;
    }
    context.reset(EVP_MD_CTX_new());
    if (context == nullptr || EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr,
                                                      nullptr, key_.get(), nullptr) != 1) {
      ERR_clear_error();
      return nullptr;
    }
    return context;
  }

  const EvpPkey key_;
  const ContextPool<EvpMdCtx> contexts_;
};

}  // namespace

KeyOrError MakeEd25519Key(KeyLabel label, absl::string_view x) {
  if (x.size() != kKeyBytes) return absl::InvalidArgumentError("x is not 32 bytes");
  if (absl::Status status = CheckPoint(x); !status.ok()) return status;
  EvpPkey key(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, Bytes(x), x.size()));
  if (key == nullptr) {
    ERR_clear_error();
    return absl::InvalidArgumentError("OpenSSL does not take the Ed25519 key");
  }
  std::string thumbprint = ThumbprintOf(
      absl::StrCat(R"({"crv":"Ed25519","kty":"OKP","x":")", EncodeBase64Url(x), "\"}"));
  return std::make_shared<Ed25519Key>(KeyDescription{std::move(label.kid), KeyKind::kEd25519,
                                                     label.algorithms, std::move(thumbprint)},
                                      std::move(key));
}

}  // namespace gatehouse::jose
