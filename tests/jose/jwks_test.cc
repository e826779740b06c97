#include "server/jose/jwks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/jose/base64url.h"
#include "tests/jose/jose_fixture.h"

namespace gatehouse::jose {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

std::string SetOf(absl::string_view jwks) { return absl::StrCat("{\"keys\":[", jwks, "]}"); }

// Why the only key of a set is refused; empty if it is not.
std::string RefusalOf(const std::string& jwk) {
  const absl::StatusOr<ParsedKeySet> set = ParseJwks(SetOf(jwk));
  EXPECT_TRUE(set.ok()) << set.status() << jwk;
  if (!set.ok() || set->refused.empty()) return "";
  EXPECT_TRUE(set->keys.empty());
  return set->refused[0].reason;
}

// The maker's key with more members.
std::string JwkWith(const TokenMaker& maker, absl::string_view members) {
  EXPECT_EQ(RefusalOf(maker.Jwk()), "");
  return absl::StrCat(maker.Jwk().substr(0, maker.Jwk().size() - 1), ",", members, "}");
}

std::string WithoutAlg(const TokenMaker& maker) {
  const std::string alg = absl::StrCat(R"("alg":")", NameOf(maker.algorithm()), "\",");
  return absl::StrReplaceAll(maker.Jwk(), {{alg, ""}});
}

class PublicKeys : public testing::TestWithParam<Algorithm> {
 protected:
  const TokenMaker& maker_ = Maker(GetParam());
};

TEST_P(PublicKeys, AKeyIsReadWithKidAlgorithmAndThumbprint) {
  const Key key = KeyOf(maker_);
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(key->kid(), maker_.kid());
  EXPECT_EQ(key->kind(), KindOf(GetParam()));
  EXPECT_TRUE(key->algorithms() == AlgorithmSet{GetParam()}) << key->algorithms().Describe();
  EXPECT_EQ(key->thumbprint(), maker_.thumbprint());
}

TEST_P(PublicKeys, WithoutAlgTheTypeSaysIt) {
  const absl::StatusOr<ParsedKeySet> set = ParseJwks(SetOf(WithoutAlg(maker_)));
  ASSERT_TRUE(set.ok());
  ASSERT_THAT(set->keys.keys(), SizeIs(1));
  const Key& key = set->keys.keys()[0];
  for (const Algorithm algorithm : AllAlgorithms()) {
    EXPECT_EQ(key->Accepts(algorithm), KindOf(algorithm) == KindOf(GetParam()));
  }
}

TEST_P(PublicKeys, AnAlgThatDisagreesIsRefused) {
  const auto with_alg = [&](absl::string_view alg) {
    return RefusalOf(absl::StrReplaceAll(
        maker_.Jwk(),
        {{absl::StrCat("\"", NameOf(GetParam()), "\""), absl::StrCat("\"", alg, "\"")}}));
  };
  for (const char* alg : {"none", "RSA-OAEP", "ES256K", "ECDH-ES", "Ed448", "rs256", ""}) {
    EXPECT_EQ(with_alg(alg), "alg is not supported or disagrees with the key") << alg;
  }
  for (const Algorithm algorithm : AllAlgorithms()) {
    EXPECT_EQ(with_alg(NameOf(algorithm)), KindOf(algorithm) == KindOf(GetParam())
                                               ? ""
                                               : "alg is not supported or disagrees with the key")
        << NameOf(algorithm);
  }
}

TEST_P(PublicKeys, OnlySignatureKeysAreAccepted) {
  EXPECT_EQ(RefusalOf(JwkWith(maker_, R"("use":"sig")")), "");
  EXPECT_EQ(RefusalOf(JwkWith(maker_, R"("key_ops":["verify"])")), "");
  EXPECT_EQ(RefusalOf(JwkWith(maker_, R"("key_ops":["sign","verify"])")), "");
  for (const char* members :
       {R"("use":"enc")", R"("use":"SIG")", R"("use":"")", R"("use":null)", R"("use":["sig"])",
        R"("key_ops":[])", R"("key_ops":["sign"])", R"("key_ops":"verify")", R"("key_ops":null)",
        R"("key_ops":["verify",1])", R"("use":"enc","key_ops":["verify"])"}) {
    EXPECT_NE(RefusalOf(JwkWith(maker_, members)), "") << members;
  }
}

TEST_P(PublicKeys, PrivateMembersAreRefused) {
  for (const char* name : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}) {
    EXPECT_THAT(RefusalOf(JwkWith(maker_, absl::StrCat("\"", name, R"(":"AQAB")"))),
                HasSubstr("private"));
  }
}

TEST_P(PublicKeys, AMemberThatIsMissingOrNoBase64UrlIsRefused) {
  for (const char* name : {"x", "y", "n", "e"}) {
    const std::string member = absl::StrCat("\"", name, "\":\"");
    if (!absl::StrContains(maker_.Jwk(), member)) continue;
    EXPECT_THAT(RefusalOf(absl::StrReplaceAll(maker_.Jwk(), {{member, "\"z\":\""}})),
                HasSubstr("missing"));
    EXPECT_THAT(RefusalOf(absl::StrReplaceAll(maker_.Jwk(), {{member, absl::StrCat(member, "=")}})),
                HasSubstr("base64url"));
    EXPECT_NE(
        RefusalOf(absl::StrReplaceAll(maker_.Jwk(), {{member, absl::StrCat(member, "AAAA")}})), "");
  }
}

TEST_P(PublicKeys, KidIsAStringOrAbsent) {
  const std::string kid = absl::StrCat(R"("kid":")", maker_.kid(), "\"");
  EXPECT_THAT(RefusalOf(absl::StrReplaceAll(maker_.Jwk(), {{kid, "\"kid\":7"}})), HasSubstr("kid"));
  EXPECT_THAT(RefusalOf(absl::StrReplaceAll(maker_.Jwk(), {{kid, "\"kid\":null"}})),
              HasSubstr("kid"));
  const absl::StatusOr<ParsedKeySet> set =
      ParseJwks(SetOf(absl::StrReplaceAll(maker_.Jwk(), {{kid, "\"x-no-kid\":1"}})));
  ASSERT_TRUE(set.ok());
  ASSERT_THAT(set->keys.keys(), SizeIs(1));
  EXPECT_EQ(set->keys.keys()[0]->kid(), std::nullopt);
  EXPECT_EQ(set->keys.keys()[0]->name(), maker_.thumbprint());
}

TEST_P(PublicKeys, AKidThatNoRevocationCanNameIsRefused) {
  const auto with_kid = [&](absl::string_view kid) {
    return absl::StrReplaceAll(maker_.Jwk(), {{absl::StrCat(R"("kid":")", maker_.kid(), "\""),
                                               absl::StrCat(R"("kid":")", kid, "\"")}});
  };
  for (const char* bad : {R"(\u0000)", R"(a\nb)", R"(\u001f)", R"(\u007f)", "\x7f", R"(\u0080x)",
                          R"(\u009f)", "\xc2\x85"}) {
    EXPECT_EQ(RefusalOf(with_kid(bad)), "kid holds a control character") << bad;
  }
  EXPECT_EQ(RefusalOf(with_kid(std::string(1025, 'k'))), "kid is longer than 1024 bytes");
  for (const std::string& good : {std::string(1024, 'k'), std::string(R"( ~\u00a0\u0430)")}) {
    const absl::StatusOr<ParsedKeySet> set = ParseJwks(SetOf(with_kid(good)));
    ASSERT_TRUE(set.ok());
    EXPECT_THAT(set->keys.keys(), SizeIs(1)) << good;
  }
}

INSTANTIATE_TEST_SUITE_P(Algorithms, PublicKeys,
                         testing::Values(Algorithm::kEdDsa, Algorithm::kEs256, Algorithm::kEs384,
                                         Algorithm::kEs512, Algorithm::kRs256, Algorithm::kPs512),
                         [](const auto& algorithm) {
                           return std::string(NameOf(algorithm.param));
                         });

TEST(Jwks, ASecretInASetIsRefused) {
  for (const Algorithm algorithm : {Algorithm::kHs256, Algorithm::kHs384, Algorithm::kHs512}) {
    EXPECT_THAT(RefusalOf(Maker(algorithm).Jwk()), HasSubstr("symmetric"));
  }
  EXPECT_NE(RefusalOf(R"({"kty":"oct"})"), "");
}

TEST(Jwks, OneOddKeyDoesNotTakeTheSetAway) {
  const TokenMaker& good = Maker(Algorithm::kEdDsa);
  for (const char* odd :
       {"{}", "null", "7", "[]", "\"x\"", R"({"kty":"AKP","alg":"ML-DSA-44","pub":"AA"})",
        R"({"kty":"OKP","crv":"Ed448","x":"AA"})", R"({"kty":"OKP","crv":"X25519","x":"AA"})",
        R"({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"})", R"({"kty":"ec"})", R"({"kty":7})",
        R"({"kty":"RSA","x5c":["MIIC"]})"}) {
    const absl::StatusOr<ParsedKeySet> set = ParseJwks(SetOf(absl::StrCat(odd, ",", good.Jwk())));
    ASSERT_TRUE(set.ok()) << set.status();
    EXPECT_THAT(set->refused, SizeIs(1)) << odd;
    EXPECT_NE(set->refused[0].reason, "");
    EXPECT_NE(set->keys.Find(good.kid(), Algorithm::kEdDsa), nullptr) << odd;
  }
}

TEST(Jwks, ARefusedKeyIsNamedByItsKid) {
  const absl::StatusOr<ParsedKeySet> set = ParseJwks(SetOf(R"({"kty":"X","kid":"odd"})"));
  ASSERT_TRUE(set.ok());
  ASSERT_THAT(set->refused, SizeIs(1));
  EXPECT_EQ(set->refused[0].kid, "odd");
}

TEST(Jwks, WhatIsNoSetIsAnError) {
  for (const char* text :
       {"", "x", "[]", "{}", R"({"keys":{}})", R"({"keys":null})", R"({"keys":[],"keys":[]})",
        R"({"keys":[]} x)", "<html></html>", "\xEF\xBB\xBF{\"keys\":[]}"}) {
    EXPECT_EQ(ParseJwks(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_TRUE(ParseJwks(R"({"keys":[]})")->keys.empty());
}

TEST(Jwks, TheSizeIsLimited) {
  const std::string empty = R"({"keys":[]})";
  EXPECT_TRUE(
      ParseJwks(absl::StrCat(empty, std::string(size_t{256} * 1024 - empty.size(), ' '))).ok());
  EXPECT_FALSE(
      ParseJwks(absl::StrCat(empty, std::string(size_t{256} * 1024 - empty.size() + 1, ' '))).ok());
  std::string keys = "{}";
  for (int i = 1; i < 256; ++i) absl::StrAppend(&keys, ",{}");
  EXPECT_THAT(ParseJwks(SetOf(keys))->refused, SizeIs(256));
  EXPECT_FALSE(ParseJwks(SetOf(absl::StrCat(keys, ",{}"))).ok());
}

TEST(Jwks, KeysThatShareKidAndAlgorithmAreAllRefused) {
  const TokenMaker a(Algorithm::kEdDsa, "k");
  const TokenMaker b(Algorithm::kEdDsa, "k");
  const TokenMaker c(Algorithm::kEs256, "k");
  const absl::StatusOr<ParsedKeySet> set = ParseJwks(TokenMaker::JwksOf({&a, &b, &c}));
  ASSERT_TRUE(set.ok());
  EXPECT_THAT(set->refused, SizeIs(2));
  EXPECT_EQ(set->keys.Find("k", Algorithm::kEdDsa), nullptr);
  EXPECT_NE(set->keys.Find("k", Algorithm::kEs256), nullptr);
}

TEST(Jwks, KeysOfOneKidThatCouldBothAcceptAnAlgorithmAreAllRefused) {
  const TokenMaker a(Algorithm::kRs256, "k");
  const TokenMaker& b = Maker(Algorithm::kRs256);
  const auto named = [&](const TokenMaker& maker, absl::string_view alg) {
    return absl::StrReplaceAll(maker.Jwk(), {{maker.kid(), "k"}, {R"("alg":"RS256",)", alg}});
  };
  const auto refused = [&](absl::string_view alg_of_a, absl::string_view alg_of_b) {
    const absl::StatusOr<ParsedKeySet> set =
        ParseJwks(SetOf(absl::StrCat(named(a, alg_of_a), ",", named(b, alg_of_b))));
    EXPECT_TRUE(set.ok());
    return set->refused.size();
  };
  EXPECT_EQ(refused("", ""), 2U);
  EXPECT_EQ(refused(R"("alg":"RS256",)", ""), 2U);
  EXPECT_EQ(refused(R"("alg":"RS256",)", R"("alg":"RS256",)"), 2U);
  EXPECT_EQ(refused(R"("alg":"RS256",)", R"("alg":"PS256",)"), 0U);
}

TEST(Jwks, OneKeyMayStandOnceForEachAlgorithm) {
  const TokenMaker& rs = Maker(Algorithm::kRs256);
  const TokenMaker ps = rs.As(Algorithm::kPs256);
  const absl::StatusOr<ParsedKeySet> set = ParseJwks(TokenMaker::JwksOf({&rs, &ps}));
  ASSERT_TRUE(set.ok());
  EXPECT_THAT(set->refused, SizeIs(0));
  const Key one = set->keys.Find(rs.kid(), Algorithm::kRs256);
  const Key two = set->keys.Find(rs.kid(), Algorithm::kPs256);
  ASSERT_NE(one, nullptr);
  ASSERT_NE(two, nullptr);
  EXPECT_FALSE(one->Accepts(Algorithm::kPs256));
  EXPECT_FALSE(two->Accepts(Algorithm::kRs256));
}

TEST(Jwks, TheSameKeyTwiceCountsOnce) {
  const TokenMaker& a = Maker(Algorithm::kEdDsa);
  const absl::StatusOr<ParsedKeySet> set = ParseJwks(TokenMaker::JwksOf({&a, &a}));
  ASSERT_TRUE(set.ok());
  EXPECT_THAT(set->keys.keys(), SizeIs(1));
  EXPECT_THAT(set->refused, SizeIs(1));
}

TEST(Jwks, KeysWithoutKidDoNotCollide) {
  const TokenMaker a(Algorithm::kEdDsa);
  const TokenMaker b(Algorithm::kEdDsa);
  const auto without_kid = [](const TokenMaker& maker) {
    return absl::StrReplaceAll(maker.Jwk(), {{absl::StrCat(R"("kid":")", maker.kid(), "\","), ""}});
  };
  const absl::StatusOr<ParsedKeySet> set =
      ParseJwks(SetOf(absl::StrCat(without_kid(a), ",", without_kid(b))));
  ASSERT_TRUE(set.ok());
  EXPECT_THAT(set->keys.Candidates(Algorithm::kEdDsa), SizeIs(2));
}

std::string RsaJwk(const std::string& n, const std::string& e) {
  return absl::StrCat(R"({"kty":"RSA","n":")", EncodeBase64Url(n), R"(","e":")", EncodeBase64Url(e),
                      "\"}");
}

// An odd number of so many bits: what is checked is its size, not its factors.
std::string Modulus(size_t bits) {
  std::string n((bits + 7) / 8, '\x5A');
  n[0] = static_cast<char>(1U << ((bits - 1) % 8));
  n.back() = '\x0B';
  return n;
}

TEST(RsaKey, ModulusSizesAreLimited) {
  const std::string e("\x01\x00\x01", 3);
  EXPECT_EQ(RefusalOf(RsaJwk(Modulus(2048), e)), "");
  EXPECT_EQ(RefusalOf(RsaJwk(Modulus(8192), e)), "");
  EXPECT_EQ(RefusalOf(RsaJwk(Modulus(2047), e)), "RSA modulus below 2048 bits");
  EXPECT_EQ(RefusalOf(RsaJwk(Modulus(512), e)), "RSA modulus below 2048 bits");
  EXPECT_EQ(RefusalOf(RsaJwk(Modulus(8193), e)), "RSA modulus above 8192 bits");
  EXPECT_NE(RefusalOf(RsaJwk("", e)), "");
  std::string even = Modulus(2048);
  even.back() = '\x0A';
  EXPECT_EQ(RefusalOf(RsaJwk(even, e)), "RSA modulus is even");
  EXPECT_NE(RefusalOf(RsaJwk(absl::StrCat(std::string(1, '\0'), Modulus(2048)), e)), "");
}

TEST(RsaKey, ExponentsAreLimited) {
  const std::string n = Modulus(2048);
  EXPECT_EQ(RefusalOf(RsaJwk(n, std::string("\x01\x00\x01", 3))), "");
  EXPECT_EQ(RefusalOf(RsaJwk(n, std::string(8, '\xFF'))), "");
  const std::string too_long = absl::StrCat("\x01", std::string(8, '\xFF'));
  EXPECT_EQ(RefusalOf(RsaJwk(n, too_long)), "RSA public exponent above 64 bits");
  for (const std::string& e :
       {std::string("\x01"), std::string("\x03"), std::string("\x11"), std::string("\xFF\xFF"),
        std::string("\x01\x00\x00", 3), std::string("\x01\x00\x02", 3)}) {
    EXPECT_EQ(RefusalOf(RsaJwk(n, e)), "RSA public exponent is even or below 65537");
  }
  EXPECT_NE(RefusalOf(RsaJwk(n, "")), "");
  EXPECT_NE(RefusalOf(RsaJwk(n, std::string("\x00\x01\x00\x01", 4))), "");
}

TEST(RsaKey, TheLargestKeysVerify) {
  const TokenMaker maker(Algorithm::kRs256, "large", 4096);
  const Key key = KeyOf(maker);
  ASSERT_NE(key, nullptr);
  EXPECT_TRUE(Verified(maker.Sign(ClaimsText().Json()), Rules(), key).ok());
}

std::string EcJwk(const std::string& x, const std::string& y) {
  return absl::StrCat(R"({"kty":"EC","crv":"P-256","x":")", EncodeBase64Url(x), R"(","y":")",
                      EncodeBase64Url(y), "\"}");
}

TEST(EcKey, APointOffTheCurveIsRefused) {
  const std::string x = *DecodeBase64Url("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
  const std::string y = *DecodeBase64Url("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
  ASSERT_EQ(RefusalOf(EcJwk(x, y)), "");
  std::string off = y;
  off.back() = static_cast<char>(off.back() ^ 1);
  const std::string zero(32, '\0');
  const std::string ones(32, '\xFF');
  const std::string p =
      absl::HexStringToBytes("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
  EXPECT_EQ(RefusalOf(EcJwk(x, off)), "x and y are no point of P-256");
  EXPECT_NE(RefusalOf(EcJwk(y, x)), "");
  EXPECT_NE(RefusalOf(EcJwk(zero, zero)), "");
  EXPECT_NE(RefusalOf(EcJwk(ones, ones)), "");
  EXPECT_NE(RefusalOf(EcJwk(p, y)), "");
  EXPECT_EQ(RefusalOf(EcJwk(x.substr(1), y)), "x or y is not 32 bytes");
  EXPECT_EQ(RefusalOf(EcJwk(x, absl::StrCat(std::string(1, '\0'), y))), "x or y is not 32 bytes");
}

// Of the curves that have no example here: a fresh key's.
class EcCurve : public testing::TestWithParam<Algorithm> {};

TEST_P(EcCurve, APointOffTheCurveOrOfAnotherLengthIsRefused) {
  const TokenMaker& maker = Maker(GetParam());
  const auto member = [&](absl::string_view name) {
    const std::string begin = absl::StrCat("\"", name, "\":\"");
    const std::string jwk = maker.Jwk();
    const size_t at = jwk.find(begin) + begin.size();
    return *DecodeBase64Url(absl::string_view(jwk).substr(at, jwk.find('"', at) - at));
  };
  const std::string x = member("x");
  const std::string y = member("y");
  const auto refusal = [&](const std::string& new_x, const std::string& new_y) {
    return RefusalOf(
        absl::StrReplaceAll(maker.Jwk(), {{absl::StrCat(R"("x":")", EncodeBase64Url(x)),
                                           absl::StrCat(R"("x":")", EncodeBase64Url(new_x))},
                                          {absl::StrCat(R"("y":")", EncodeBase64Url(y)),
                                           absl::StrCat(R"("y":")", EncodeBase64Url(new_y))}}));
  };
  ASSERT_EQ(refusal(x, y), "");
  std::string off = y;
  off.back() = static_cast<char>(off.back() ^ 1);
  const std::string zero(x.size(), '\0');
  const std::string ones(x.size(), '\xFF');
  for (const auto& [wrong_x, wrong_y] : {std::pair{x, off}, std::pair{y, x}, std::pair{zero, zero},
                                         std::pair{ones, ones}, std::pair{x, zero}}) {
    EXPECT_THAT(refusal(wrong_x, wrong_y), HasSubstr("no point of P-"));
  }
  const std::string nul(1, '\0');
  for (const auto& [wrong_x, wrong_y] :
       {std::pair{x.substr(1), y}, std::pair{x, y.substr(1)}, std::pair{nul + x, y},
        std::pair{x, nul + y}, std::pair{x + nul, y}, std::pair{std::string(), y}}) {
    EXPECT_THAT(refusal(wrong_x, wrong_y), HasSubstr("x or y is not"));
  }
}

TEST_P(EcCurve, AKeyOfAnotherCurveIsRefused) {
  const TokenMaker& maker = Maker(GetParam());
  const std::string jwk = absl::StrReplaceAll(
      maker.Jwk(), {{absl::StrCat(R"("alg":")", NameOf(GetParam()), "\","), ""}});
  ASSERT_EQ(RefusalOf(jwk), "");
  for (const char* other : {"P-256", "P-384", "P-521", "secp256k1", "p-256", "P-224"}) {
    const bool own = absl::StrContains(jwk, absl::StrCat("\"", other, "\""));
    const std::string changed =
        absl::StrReplaceAll(jwk, {{"P-256", other}, {"P-384", other}, {"P-521", other}});
    EXPECT_EQ(RefusalOf(changed).empty(), own) << other;
  }
}

INSTANTIATE_TEST_SUITE_P(Curves, EcCurve,
                         testing::Values(Algorithm::kEs256, Algorithm::kEs384, Algorithm::kEs512),
                         [](const auto& algorithm) {
                           return std::string(NameOf(algorithm.param));
                         });

std::string EdJwk(const std::string& x) {
  return absl::StrCat(R"({"kty":"OKP","crv":"Ed25519","x":")", EncodeBase64Url(x), "\"}");
}

TEST(Ed25519Key, EverySmallOrderEncodingIsRefused) {
  // y = 1, -1, 0, the two of order eight; then p and p + 1, which are 0 and 1 again.
  for (const char* hex : {"0100000000000000000000000000000000000000000000000000000000000000",
                          "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                          "0000000000000000000000000000000000000000000000000000000000000000",
                          "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                          "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                          "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                          "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    for (const bool sign : {false, true}) {
      std::string x = absl::HexStringToBytes(hex);
      if (sign) x.back() = static_cast<char>(static_cast<unsigned char>(x.back()) | 0x80U);
      const std::string refusal = RefusalOf(EdJwk(x));
      EXPECT_TRUE(refusal == "Ed25519 key of small order" ||
                  refusal == "Ed25519 key in a form that is not canonical")
          << hex << refusal;
    }
  }
}

TEST(Ed25519Key, AFormThatIsNotCanonicalIsRefused) {
  for (int low = 0xED; low <= 0xFF; ++low) {  // p to 2^255 - 1
    std::string x(32, '\xFF');
    x[0] = static_cast<char>(low);
    x[31] = '\x7F';
    EXPECT_EQ(RefusalOf(EdJwk(x)), "Ed25519 key in a form that is not canonical");
  }
}

TEST(Ed25519Key, APointOffTheCurveIsRefused) {
  // Half of all y have no x: of 2 to 40 both kinds occur.
  int good = 0;
  int off = 0;
  for (char y = 2; y <= 40; ++y) {
    std::string x(32, '\0');
    x[0] = y;
    const std::string refusal = RefusalOf(EdJwk(x));
    if (refusal.empty()) ++good;
    if (refusal == "Ed25519 key that is no point of the curve") ++off;
  }
  EXPECT_EQ(good + off, 39);
  EXPECT_GT(good, 5);
  EXPECT_GT(off, 5);
}

TEST(Ed25519Key, AKeyOfAnotherLengthIsRefused) {
  const std::string x = *DecodeBase64Url("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
  ASSERT_EQ(RefusalOf(EdJwk(x)), "");
  for (const size_t size : {0U, 31U}) {
    EXPECT_EQ(RefusalOf(EdJwk(x.substr(0, size))), "x is not 32 bytes");
  }
  EXPECT_EQ(RefusalOf(EdJwk(absl::StrCat(x, "x"))), "x is not 32 bytes");
}

}  // namespace
}  // namespace gatehouse::jose
