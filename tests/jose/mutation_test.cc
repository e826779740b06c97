#include <gtest/gtest.h>
#include <openssl/bn.h>

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "server/jose/base64url.h"
#include "tests/jose/jose_fixture.h"

namespace gatehouse::jose {
namespace {

// Attacks a token that is accepted, under each algorithm.
class Mutation : public testing::TestWithParam<Algorithm> {
 protected:
  void SetUp() override {
    ASSERT_NE(key_, nullptr);
    const absl::StatusOr<VerifiedJwt> good = Verified(token_, Rules(), key_);
    ASSERT_TRUE(good.ok()) << good.status();
  }

  std::string Input() const { return token_.substr(0, token_.rfind('.')); }
  std::string Signature() const {
    return *DecodeBase64Url(absl::string_view(token_).substr(token_.rfind('.') + 1));
  }
  std::string WithSignature(absl::string_view signature) const {
    return absl::StrCat(Input(), ".", EncodeBase64Url(signature));
  }

  bool Verifies(absl::string_view signature) const {
    const std::string input = Input();
    return key_->Verify(GetParam(), SigningInput(input), signature);
  }

  const TokenMaker& maker_ = Maker(GetParam());
  const Key key_ = KeyOf(maker_);
  const std::string token_ = maker_.Sign(ClaimsText().With("jti", "\"t-1\"").Json());
};

TEST_P(Mutation, NoFlippedBitIsAccepted) {
  for (size_t at = 0; at < token_.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = token_;
      changed[at] = static_cast<char>(static_cast<uint8_t>(changed[at]) ^ (1U << bit));
      EXPECT_FALSE(Verified(changed, Rules(), key_).ok()) << "byte " << at << ", bit " << bit;
    }
  }
}

TEST_P(Mutation, NoFlippedBitOfTheSignatureIsAccepted) {
  const std::string signature = Signature();
  for (size_t at = 0; at < signature.size() * 8; ++at) {
    std::string changed = signature;
    changed[at / 8] = static_cast<char>(static_cast<uint8_t>(changed[at / 8]) ^ (1U << at % 8));
    EXPECT_FALSE(Verified(WithSignature(changed), Rules(), key_).ok()) << "bit " << at;
  }
}

TEST_P(Mutation, NoCutTokenIsAccepted) {
  for (size_t size = 0; size < token_.size(); ++size) {
    EXPECT_FALSE(Verified(absl::string_view(token_).substr(0, size), Rules(), key_).ok()) << size;
    EXPECT_FALSE(
        Verified(absl::string_view(token_).substr(token_.size() - size), Rules(), key_).ok())
        << size;
  }
}

TEST_P(Mutation, NoSignatureOfAnotherLengthIsAccepted) {
  const std::string signature = Signature();
  EXPECT_TRUE(Verifies(signature));
  for (size_t size = 0; size < signature.size(); ++size) {
    EXPECT_FALSE(Verifies(signature.substr(0, size))) << size;
  }
  EXPECT_FALSE(Verifies(absl::StrCat(signature, std::string(1, '\0'))));
  EXPECT_FALSE(Verifies(absl::StrCat(std::string(1, '\0'), signature)));
  EXPECT_FALSE(Verifies(absl::StrCat(signature, signature)));
  EXPECT_FALSE(Verifies(std::string(signature.size(), '\0')));
  EXPECT_FALSE(Verifies(std::string(signature.size(), '\xFF')));
}

TEST_P(Mutation, AnyByteAroundTheTokenIsRefused) {
  for (const char* extra : {" ", "\n", "\t", "=", ".", "A", "\r\n"}) {
    EXPECT_FALSE(Verified(absl::StrCat(token_, extra), Rules(), key_).ok());
    EXPECT_FALSE(Verified(absl::StrCat(extra, token_), Rules(), key_).ok());
  }
  EXPECT_FALSE(Verified(absl::StrCat(token_, std::string(1, '\0')), Rules(), key_).ok());
}

TEST_P(Mutation, AnotherKeyOfTheAlgorithmIsRefused) {
  const Key other = KeyOf(TokenMaker(GetParam()));
  ASSERT_NE(other, nullptr);
  EXPECT_FALSE(Verified(token_, Rules(), other).ok());
}

TEST_P(Mutation, AKeyOfAnotherAlgorithmIsRefused) {
  for (const Algorithm other : AllAlgorithms()) {
    if (other == GetParam()) continue;
    const absl::StatusOr<VerifiedJwt> verified = Verified(token_, Rules(), KeyOf(Maker(other)));
    EXPECT_EQ(verified.status().message(), "alg is not the key's");
  }
}

TEST_P(Mutation, AHeaderThatNamesAnotherAlgorithmIsRefused) {
  for (const Algorithm other : AllAlgorithms()) {
    if (other == GetParam()) continue;
    const std::string header = absl::StrCat(R"({"alg":")", NameOf(other), "\"}");
    const std::string token = maker_.Sign(header, ClaimsText().Json());
    EXPECT_EQ(Verified(token, Rules(), key_).status().message(), "alg is not the key's");
  }
}

TEST_P(Mutation, AnAlgorithmThatTheIssuerDoesNotListIsRefused) {
  IssuerRules rules = Rules();
  rules.algorithms.clear();
  for (const Algorithm other : AllAlgorithms()) {
    if (other != GetParam()) rules.algorithms.push_back(other);
  }
  EXPECT_EQ(Verified(token_, rules, key_).status().message(), "alg is not on the issuer's list");
}

TEST_P(Mutation, ASignatureForAnotherAlgorithmOfTheKeyIsRefused) {
  for (const Algorithm other : AllAlgorithms()) {
    if (other == GetParam() || KindOf(other) != KindOf(GetParam())) continue;
    // Made for `other` over a header that says GetParam().
    TokenMaker maker = maker_.As(other);
    const std::string signature = maker.SignatureOf(Input());
    EXPECT_FALSE(Verified(WithSignature(signature), Rules(), key_).ok()) << NameOf(other);
  }
}

TEST_P(Mutation, TheHeaderOfAnotherAlgorithmOfTheKeyIsRefused) {
  // What holds even for a key whose JWK does not say `alg`.
  for (const Algorithm other : AllAlgorithms()) {
    if (other == GetParam() || KindOf(other) != KindOf(GetParam())) continue;
    const Key free = UnboundKeyOf(maker_);
    ASSERT_NE(free, nullptr);
    EXPECT_TRUE(Verified(token_, Rules(), free).ok());
    EXPECT_TRUE(Verified(maker_.As(other).Sign(ClaimsText().Json()), Rules(), free).ok());
    const std::string header = maker_.As(other).Header();
    const std::string mixed = maker_.Sign(header, ClaimsText().Json());
    EXPECT_EQ(Verified(mixed, Rules(), free).status().message(), "the signature is wrong");
    EXPECT_EQ(Verified(mixed, Rules(), key_).status().message(), "alg is not the key's");
  }
}

TEST_P(Mutation, ARetiredKeyIsRefused) {
  key_->Retire();
  EXPECT_EQ(Verified(token_, Rules(), key_).status().message(),
            "the key is no longer in its issuer's set");
}

INSTANTIATE_TEST_SUITE_P(Algorithms, Mutation, testing::ValuesIn(AllAlgorithms()),
                         [](const auto& algorithm) {
                           return std::string(NameOf(algorithm.param));
                         });

struct Curve {
  Algorithm algorithm;
  size_t bytes;
  const char* order;  // FIPS 186-4 D.1.2
};

// Attacks the two numbers of an ECDSA signature that is accepted.
class Ecdsa : public testing::TestWithParam<Curve> {
 protected:
  void SetUp() override {
    ASSERT_EQ(signature_.size(), 2 * half_);
    ASSERT_TRUE(Verifies(signature_));
  }

  bool Verifies(absl::string_view signature) const {
    return key_->Verify(GetParam().algorithm, SigningInput(input_), signature);
  }
  std::string Number(const BIGNUM* number) const {
    std::string bytes(half_, '\0');
    EXPECT_GE(BN_bn2binpad(number, Bytes(bytes), static_cast<int>(half_)), 0);
    return bytes;
  }
  Bignum Parsed(absl::string_view bytes) const {
    return Bignum(BN_bin2bn(Bytes(bytes), static_cast<int>(bytes.size()), nullptr));
  }

  const size_t half_ = GetParam().bytes;
  const TokenMaker& maker_ = Maker(GetParam().algorithm);
  const Key key_ = KeyOf(maker_);
  const std::string input_ =
      absl::StrCat(EncodeBase64Url(maker_.Header()), ".", EncodeBase64Url(ClaimsText().Json()));
  const std::string signature_ = maker_.SignatureOf(input_);
  const std::string r_ = signature_.substr(0, half_);
  const std::string s_ = signature_.substr(half_);
  const Bignum order_ = [] {
    BIGNUM* n = nullptr;
    BN_hex2bn(&n, GetParam().order);
    return Bignum(n);
  }();
};

TEST_P(Ecdsa, TheTwinSignatureIsAcceptedAndHasTheSameIdentity) {
  const Bignum twin(BN_new());
  ASSERT_EQ(BN_sub(twin.get(), order_.get(), Parsed(s_).get()), 1);
  const std::string twin_signature = absl::StrCat(r_, Number(twin.get()));
  ASSERT_NE(twin_signature, signature_);
  const auto token = absl::StrCat(input_, ".", EncodeBase64Url(signature_));
  const auto twin_token = absl::StrCat(input_, ".", EncodeBase64Url(twin_signature));
  const absl::StatusOr<VerifiedJwt> one = Verified(token, Rules(), key_);
  const absl::StatusOr<VerifiedJwt> two = Verified(twin_token, Rules(), key_);
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(one->identity(), two->identity());
}

TEST_P(Ecdsa, ROrSOutOfRangeIsRefused) {
  const std::string zero(half_, '\0');
  for (const std::string& wrong : {zero, Number(order_.get()), std::string(half_, '\xFF')}) {
    EXPECT_FALSE(Verifies(absl::StrCat(wrong, s_)));
    EXPECT_FALSE(Verifies(absl::StrCat(r_, wrong)));
    EXPECT_FALSE(Verifies(absl::StrCat(wrong, wrong)));
  }
}

TEST_P(Ecdsa, RPlusTheOrderIsRefused) {
  // The same number modulo n, where it still fits.
  for (const bool first : {true, false}) {
    const Bignum sum(BN_new());
    ASSERT_EQ(BN_add(sum.get(), order_.get(), Parsed(first ? r_ : s_).get()), 1);
    if (static_cast<size_t>(BN_num_bytes(sum.get())) > half_) continue;
    EXPECT_FALSE(Verifies(first ? Number(sum.get()) + s_ : r_ + Number(sum.get())));
  }
}

TEST_P(Ecdsa, NumbersOfEveryLengthVerify) {
  // A leading zero byte comes once in 128 signatures of P-256 and P-384; of P-521,
  // whose first byte is 0 or 1, in every other.
  const int enough = GetParam().algorithm == Algorithm::kEs256 ? 20000 : 64;
  int with_zero = 0;
  for (int i = 0; i < 64 || (with_zero == 0 && i < enough); ++i) {
    const std::string input = absl::StrCat(input_, i);
    const std::string signature = maker_.SignatureOf(input);
    EXPECT_TRUE(key_->Verify(GetParam().algorithm, SigningInput(input), signature));
    if (signature[0] == '\0' || signature[half_] == '\0') ++with_zero;
  }
  if (GetParam().algorithm != Algorithm::kEs384) EXPECT_GT(with_zero, 0);
}

TEST_P(Ecdsa, DerIsRefused) {
  const auto integer = [&](const std::string& number) {
    return absl::StrCat("\x02", std::string(1, static_cast<char>(number.size())), number);
  };
  const std::string content = absl::StrCat(integer(r_), integer(s_));
  EXPECT_FALSE(
      Verifies(absl::StrCat("\x30", std::string(1, static_cast<char>(content.size())), content)));
}

INSTANTIATE_TEST_SUITE_P(
    Curves, Ecdsa,
    testing::Values(Curve{Algorithm::kEs256, 32,
                          "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"},
                    Curve{Algorithm::kEs384, 48,
                          "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf"
                          "581a0db248b0a77aecec196accc52973"},
                    Curve{Algorithm::kEs512, 66,
                          "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa"
                          "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"}),
    [](const auto& curve) { return std::string(NameOf(curve.param.algorithm)); });

// RFC 7518 section 3.5: the salt is as long as the hash.
class Pss : public testing::TestWithParam<Algorithm> {};

TEST_P(Pss, ASaltOfAnotherLengthIsRefused) {
  const TokenMaker& maker = Maker(GetParam());
  const Key key = KeyOf(maker);
  const std::string input =
      absl::StrCat(EncodeBase64Url(maker.Header()), ".", EncodeBase64Url(ClaimsText().Json()));
  const int right = static_cast<int>(SizeOf(HashOf(GetParam())));
  const auto verified = [&](int salt_bytes) {
    return Verified(absl::StrCat(input, ".", EncodeBase64Url(maker.SignatureOf(input, salt_bytes))),
                    Rules(), key);
  };
  EXPECT_TRUE(verified(right).ok());
  const int longest = 256 - right - 2;
  for (const int other : {0, 1, 20, right - 1, right + 1, longest}) {
    EXPECT_EQ(verified(other).status().message(), "the signature is wrong") << other;
  }
}

INSTANTIATE_TEST_SUITE_P(Algorithms, Pss,
                         testing::Values(Algorithm::kPs256, Algorithm::kPs384, Algorithm::kPs512),
                         [](const auto& algorithm) {
                           return std::string(NameOf(algorithm.param));
                         });

TEST(EdDsa, SPlusTheGroupOrderIsRefused) {
  const TokenMaker& maker = Maker(Algorithm::kEdDsa);
  const Key key = KeyOf(maker);
  const std::string signature = maker.SignatureOf("input");
  ASSERT_TRUE(key->Verify(Algorithm::kEdDsa, SigningInput("input"), signature));
  BIGNUM* raw = nullptr;
  BN_hex2bn(&raw, "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed");
  const Bignum order(raw);
  const Bignum s(BN_lebin2bn(Bytes(absl::string_view(signature).substr(32)), 32, nullptr));
  // Each multiple of L that still fits gives the same S modulo L.
  for (int i = 0; i < 14; ++i) {
    ASSERT_EQ(BN_add(s.get(), s.get(), order.get()), 1);
    std::string changed = signature;
    ASSERT_EQ(BN_bn2lebinpad(s.get(), Bytes(changed) + 32, 32), 32);
    EXPECT_FALSE(key->Verify(Algorithm::kEdDsa, SigningInput("input"), changed)) << i;
  }
}

}  // namespace
}  // namespace gatehouse::jose
