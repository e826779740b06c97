#include "server/jose/sign.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "absl/strings/str_cat.h"
#include "tests/jose/jose_fixture.h"

namespace gatehouse::jose {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST(SigningKey, ItsTokensVerifyWithItsJwks) {
  const absl::StatusOr<SigningKey> signer = SigningKey::Generate();
  ASSERT_TRUE(signer.ok());
  const absl::StatusOr<ParsedKeySet> set = ParseJwks(signer->PublicJwks());
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(set->refused, IsEmpty());
  const Key key = set->keys.Find(signer->kid(), Algorithm::kEdDsa);
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(key->thumbprint(), signer->kid());
  for (const char* typ : {"JWT", "at+jwt", ""}) {
    const absl::StatusOr<std::string> token = signer->Sign(ClaimsText().Json(), typ);
    ASSERT_TRUE(token.ok()) << token.status();
    EXPECT_EQ(UnverifiedJwt::Parse(*token)->kid(), signer->kid());
    EXPECT_TRUE(Verified(*token, Rules(), key).ok());
  }
}

TEST(SigningKey, ItsPemGivesTheSameKeyBack) {
  const absl::StatusOr<SigningKey> signer = SigningKey::Generate();
  ASSERT_TRUE(signer.ok());
  const absl::StatusOr<Secret> pem = signer->ToPem();
  ASSERT_TRUE(pem.ok());
  EXPECT_THAT(std::string(pem->Reveal()), StartsWith("-----BEGIN PRIVATE KEY-----\n"));
  const absl::StatusOr<SigningKey> again = SigningKey::FromPem(*pem);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->kid(), signer->kid());
  EXPECT_EQ(again->PublicJwks(), signer->PublicJwks());
  EXPECT_EQ(*again->Sign("{}"), *signer->Sign("{}"));
}

TEST(SigningKey, TwoAreNeverTheSame) {
  EXPECT_NE(SigningKey::Generate()->kid(), SigningKey::Generate()->kid());
}

TEST(SigningKey, WhatIsNoEd25519PrivateKeyIsRefused) {
  const absl::StatusOr<SigningKey> signer = SigningKey::Generate();
  ASSERT_TRUE(signer.ok());
  const std::string pem(signer->ToPem()->Reveal());
  ASSERT_TRUE(SigningKey::FromPem(Secret(pem)).ok());
  std::string damaged = pem;
  damaged[40] = '!';
  for (const std::string& text :
       {std::string(), std::string("garbage"), pem.substr(0, pem.size() / 2), damaged,
        std::string("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n")}) {
    const absl::StatusOr<SigningKey> key = SigningKey::FromPem(Secret(text));
    EXPECT_EQ(key.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(key.status().message()), HasSubstr("Ed25519"));
  }
}

std::string PemOf(EVP_PKEY* key, const EVP_CIPHER* cipher, std::string password) {
  const Bio bio(BIO_new(BIO_s_mem()));
  EXPECT_EQ(PEM_write_bio_PrivateKey(bio.get(), key, cipher, Bytes(password),
                                     static_cast<int>(password.size()), nullptr, nullptr),
            1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

TEST(SigningKey, AKeyWithAPasswordIsRefusedAndNobodyIsAsked) {
  const EvpPkey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  EXPECT_TRUE(SigningKey::FromPem(Secret(PemOf(key.get(), nullptr, ""))).ok());
  const std::string locked = PemOf(key.get(), EVP_aes_256_cbc(), "open sesame");
  EXPECT_THAT(locked, StartsWith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
  EXPECT_FALSE(SigningKey::FromPem(Secret(locked)).ok());
}

TEST(SigningKey, AKeyOfAnotherTypeIsRefused) {
  const EvpPkey ec(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  EXPECT_FALSE(SigningKey::FromPem(Secret(PemOf(ec.get(), nullptr, ""))).ok());
}

TEST(SigningKey, ATypThatIsNoMediaTypeIsRefused) {
  const absl::StatusOr<SigningKey> signer = SigningKey::Generate();
  for (const char* typ : {"\"", "a b", "\\", "x\n", "\xC3\xA9"}) {
    EXPECT_EQ(signer->Sign("{}", typ).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace gatehouse::jose
