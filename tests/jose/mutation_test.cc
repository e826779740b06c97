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
  EXPECT_TRUE(key_->Verify(Input(), signature));
  for (size_t size = 0; size < signature.size(); ++size) {
    EXPECT_FALSE(key_->Verify(Input(), signature.substr(0, size))) << size;
  }
  EXPECT_FALSE(key_->Verify(Input(), absl::StrCat(signature, std::string(1, '\0'))));
  EXPECT_FALSE(key_->Verify(Input(), absl::StrCat(std::string(1, '\0'), signature)));
  EXPECT_FALSE(key_->Verify(Input(), absl::StrCat(signature, signature)));
  EXPECT_FALSE(key_->Verify(Input(), std::string(signature.size(), '\0')));
  EXPECT_FALSE(key_->Verify(Input(), std::string(signature.size(), '\xFF')));
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

TEST_P(Mutation, ARetiredKeyIsRefused) {
  key_->Retire();
  EXPECT_EQ(Verified(token_, Rules(), key_).status().message(),
            "the key is no longer in its issuer's set");
}

INSTANTIATE_TEST_SUITE_P(Algorithms, Mutation, testing::ValuesIn(AllAlgorithms()),
                         [](const auto& algorithm) {
                           return std::string(NameOf(algorithm.param));
                         });

class Es256 : public testing::Test {
 protected:
  const TokenMaker& maker_ = Maker(Algorithm::kEs256);
  const Key key_ = KeyOf(maker_);
  const std::string input_ =
      absl::StrCat(EncodeBase64Url(maker_.Header()), ".", EncodeBase64Url(ClaimsText().Json()));
  const std::string signature_ = maker_.SignatureOf(input_);
  const Bignum order_ = [] {
    BIGNUM* n = nullptr;
    BN_hex2bn(&n, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    return Bignum(n);
  }();

  static std::string Bytes32(const BIGNUM* number) {
    std::string bytes(32, '\0');
    EXPECT_EQ(BN_bn2binpad(number, Bytes(bytes), 32), 32);
    return bytes;
  }
};

TEST_F(Es256, TheTwinSignatureIsAcceptedAndHasTheSameIdentity) {
  const Bignum s(BN_bin2bn(Bytes(absl::string_view(signature_).substr(32)), 32, nullptr));
  const Bignum twin(BN_new());
  ASSERT_EQ(BN_sub(twin.get(), order_.get(), s.get()), 1);
  const std::string twin_signature = absl::StrCat(signature_.substr(0, 32), Bytes32(twin.get()));
  ASSERT_NE(twin_signature, signature_);
  const auto token = absl::StrCat(input_, ".", EncodeBase64Url(signature_));
  const auto twin_token = absl::StrCat(input_, ".", EncodeBase64Url(twin_signature));
  const absl::StatusOr<VerifiedJwt> one = Verified(token, Rules(), key_);
  const absl::StatusOr<VerifiedJwt> two = Verified(twin_token, Rules(), key_);
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(one->identity(), two->identity());
}

TEST_F(Es256, ROrSOutOfRangeIsRefused) {
  ASSERT_TRUE(key_->Verify(input_, signature_));
  const std::string r = signature_.substr(0, 32);
  const std::string s = signature_.substr(32);
  const std::string zero(32, '\0');
  const std::string n = Bytes32(order_.get());
  for (const std::string& wrong : {zero, n, std::string(32, '\xFF')}) {
    EXPECT_FALSE(key_->Verify(input_, absl::StrCat(wrong, s)));
    EXPECT_FALSE(key_->Verify(input_, absl::StrCat(r, wrong)));
    EXPECT_FALSE(key_->Verify(input_, absl::StrCat(wrong, wrong)));
  }
}

TEST_F(Es256, ShortNumbersVerifyToo) {
  // A leading zero byte comes once in 128 signatures, a set high bit in every other.
  int with_zero = 0;
  for (int i = 0; with_zero == 0 || i < 64; ++i) {
    ASSERT_LT(i, 20000);
    const std::string input = absl::StrCat(input_, i);
    const std::string signature = maker_.SignatureOf(input);
    EXPECT_TRUE(key_->Verify(input, signature));
    if (signature[0] == '\0' || signature[32] == '\0') ++with_zero;
  }
}

TEST_F(Es256, DerIsRefused) {
  std::string der = "\x30\x44\x02\x20";
  absl::StrAppend(&der, signature_.substr(0, 32), "\x02\x20", signature_.substr(32));
  EXPECT_FALSE(key_->Verify(input_, der));
}

TEST(EdDsa, SPlusTheGroupOrderIsRefused) {
  const TokenMaker& maker = Maker(Algorithm::kEdDsa);
  const Key key = KeyOf(maker);
  const std::string signature = maker.SignatureOf("input");
  ASSERT_TRUE(key->Verify("input", signature));
  BIGNUM* raw = nullptr;
  BN_hex2bn(&raw, "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed");
  const Bignum order(raw);
  const Bignum s(BN_lebin2bn(Bytes(absl::string_view(signature).substr(32)), 32, nullptr));
  // Each multiple of L that still fits gives the same S modulo L.
  for (int i = 0; i < 14; ++i) {
    ASSERT_EQ(BN_add(s.get(), s.get(), order.get()), 1);
    std::string changed = signature;
    ASSERT_EQ(BN_bn2lebinpad(s.get(), Bytes(changed) + 32, 32), 32);
    EXPECT_FALSE(key->Verify("input", changed)) << i;
  }
}

}  // namespace
}  // namespace gatehouse::jose
