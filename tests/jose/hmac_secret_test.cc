#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/jose/base64url.h"
#include "tests/jose/jose_fixture.h"

namespace gatehouse::jose {
namespace {

using testing::HasSubstr;
using testing::Not;

// 48 bytes without a pattern.
constexpr char kGood[] = "q7Zt0Lx9_Vw3RkPb5Yc-8NhUeJ1mGdS4aFoT6iXzK2vHyBrQ";

absl::Status Make(absl::string_view secret) {
  return MakeHmacKey(Secret(std::string(secret)), {Algorithm::kHs256}).status();
}

void ExpectRefused(const std::string& secret) {
  ASSERT_TRUE(Make(kGood).ok());
  const absl::Status status = Make(secret);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << secret;
  if (secret.size() > 8) EXPECT_THAT(status.message(), Not(HasSubstr(secret)));
}

TEST(HmacSecret, ThirtyTwoBytesAreEnoughAndThirtyOneNot) {
  const absl::string_view good = kGood;
  EXPECT_TRUE(Make(good.substr(0, 32)).ok());
  ExpectRefused(std::string(good.substr(0, 31)));
  ExpectRefused("");
}

TEST(HmacSecret, IsAsLongAsTheLongestHashListed) {
  const std::string secret = absl::StrCat(kGood, "Wn6eCj3sPq8uDx5fAg7h");  // 68 bytes
  const auto make = [&](size_t size, const std::vector<Algorithm>& algorithms) {
    return std::string(MakeHmacKey(Secret(secret.substr(0, size)), algorithms).status().message());
  };
  const std::vector<Algorithm> all = {Algorithm::kHs512, Algorithm::kHs256, Algorithm::kHs384};
  EXPECT_EQ(make(48, {Algorithm::kHs384}), "");
  EXPECT_EQ(make(47, {Algorithm::kHs384}),
            "the HMAC secret has 47 bytes; HS384 needs 48 random ones at least");
  EXPECT_EQ(make(64, {Algorithm::kHs512}), "");
  EXPECT_EQ(make(64, all), "");
  EXPECT_EQ(make(63, all), "the HMAC secret has 63 bytes; HS512 needs 64 random ones at least");
  EXPECT_EQ(make(47, {Algorithm::kHs256}), "");
}

TEST(HmacSecret, ServesTheAlgorithmsListedAlone) {
  const Key key = *MakeHmacKey(Secret(kGood), {Algorithm::kHs256, Algorithm::kHs384});
  for (const Algorithm algorithm : AllAlgorithms()) {
    EXPECT_EQ(key->Accepts(algorithm),
              algorithm == Algorithm::kHs256 || algorithm == Algorithm::kHs384);
  }
  EXPECT_EQ(key->kind(), KeyKind::kHmac);
  EXPECT_FALSE(MakeHmacKey(Secret(kGood), {}).ok());
  for (const Algorithm algorithm : AllAlgorithms()) {
    if (IsSymmetric(algorithm)) continue;
    EXPECT_THAT(
        std::string(MakeHmacKey(Secret(kGood), {Algorithm::kHs256, algorithm}).status().message()),
        HasSubstr(std::string(NameOf(algorithm))));
  }
}

TEST(HmacSecret, AnyPatternRepeatedIsRefused) {
  for (size_t period = 1; period <= 24; ++period) {
    std::string secret;
    while (secret.size() < 48) absl::StrAppend(&secret, absl::string_view(kGood).substr(0, period));
    ExpectRefused(secret);
    ExpectRefused(secret.substr(0, 2 * period < 32 ? 32 : 2 * period));
  }
  ExpectRefused("aabcdefghijklmnopaaabcdefghijklmnopa");
  ExpectRefused(std::string(32, '\0'));
  ExpectRefused(std::string(64, 'a'));
  ExpectRefused(std::string(4096, 'a'));
}

TEST(HmacSecret, APatternThatCoversLessThanAllIsAccepted) {
  const std::string part(kGood, 20);
  EXPECT_TRUE(Make(absl::StrCat(part, part, "#")).ok());
  EXPECT_TRUE(Make(absl::StrCat(kGood, kGood)).code() == absl::StatusCode::kInvalidArgument);
}

TEST(HmacSecret, BytesThatCountAreRefused) {
  std::string up;
  std::string down;
  for (int i = 0; i < 48; ++i) {
    up += static_cast<char>(i);
    down += static_cast<char>(200 - 3 * i);
  }
  ExpectRefused(up);
  ExpectRefused(down);
}

TEST(HmacSecret, WellKnownExamplesAreRefused) {
  for (const char* secret :
       {"secret", "your-256-bit-secret", "your-256-bit-secret-for-hs256-tokens",
        "a-string-secret-at-least-256-bits-long",
        "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        "better-auth-secret-12345678901234567890",
        "super-secret-jwt-token-with-at-least-32-characters-long",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "please-ChangeMe-before-you-go-live-0123"}) {
    ExpectRefused(secret);
  }
  ExpectRefused(*DecodeBase64Url(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"));
}

TEST(HmacSecret, TheKeyHasNoKidAndATellingThumbprint) {
  const Key one = *MakeHmacKey(Secret(kGood), {Algorithm::kHs256});
  const Key same = *MakeHmacKey(Secret(kGood), {Algorithm::kHs256});
  const Key other = *MakeHmacKey(Secret(absl::StrCat(kGood, "x")), {Algorithm::kHs256});
  EXPECT_EQ(one->kid(), std::nullopt);
  EXPECT_TRUE(one->algorithms() == AlgorithmSet{Algorithm::kHs256});
  EXPECT_EQ(one->thumbprint(), same->thumbprint());
  EXPECT_NE(one->thumbprint(), other->thumbprint());
}

}  // namespace
}  // namespace gatehouse::jose
