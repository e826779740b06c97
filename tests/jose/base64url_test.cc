#include "server/jose/base64url.h"

#include <gtest/gtest.h>

namespace gatehouse::jose {
namespace {

TEST(Base64Url, EveryByteAndEveryRestGoesThereAndBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    EXPECT_EQ(DecodeBase64Url(EncodeBase64Url(bytes)), bytes) << i;
    EXPECT_EQ(DecodedBase64UrlSize(EncodeBase64Url(bytes).size()), bytes.size());
    bytes += static_cast<char>(255 - i);
  }
}

TEST(Base64Url, EncodesAsTheStandardsDo) {
  EXPECT_EQ(EncodeBase64Url("f"), "Zg");
  EXPECT_EQ(EncodeBase64Url("fo"), "Zm8");
  EXPECT_EQ(EncodeBase64Url("foo"), "Zm9v");
  EXPECT_EQ(EncodeBase64Url("\x03\xec\xff\xe0\xc1"), "A-z_4ME");
}

TEST(Base64Url, PaddingIsRefused) {
  EXPECT_EQ(DecodeBase64Url("Zg"), "f");
  EXPECT_EQ(DecodeBase64Url("Zg=="), std::nullopt);
  EXPECT_EQ(DecodeBase64Url("Zm8="), std::nullopt);
}

TEST(Base64Url, OneCharacterBehindAGroupIsRefused) {
  EXPECT_EQ(DecodeBase64Url("Z"), std::nullopt);
  EXPECT_EQ(DecodeBase64Url("Zm9vZ"), std::nullopt);
}

TEST(Base64Url, BitsBehindTheLastByteAreRefused) {
  EXPECT_EQ(DecodeBase64Url("Zh"), std::nullopt);
  EXPECT_EQ(DecodeBase64Url("Zw"), "g");
  EXPECT_EQ(DecodeBase64Url("Zm9"), std::nullopt);
  EXPECT_EQ(DecodeBase64Url("Zm-"), std::nullopt);
}

TEST(Base64Url, OnlyTheAlphabetsBytesAreAccepted) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool known = alphabet.find(c) != std::string::npos;
    for (const size_t at : {0U, 1U, 2U, 3U}) {
      std::string text = "AAAA";
      text[at] = c;
      EXPECT_EQ(DecodeBase64Url(text).has_value(), known) << byte << " at " << at;
    }
    EXPECT_EQ(DecodeBase64Url(std::string{c, 'A'}).has_value(), known) << byte;
    EXPECT_EQ(DecodeBase64Url(std::string{'A', c, 'A'}).has_value(), known) << byte;
  }
}

}  // namespace
}  // namespace gatehouse::jose
