#include "server/jose/jws.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/jose/base64url.h"
#include "tests/jose/jose_fixture.h"

namespace gatehouse::jose {
namespace {

using testing::HasSubstr;

TEST(CompactJws, HasExactlyThreeSegments) {
  const absl::StatusOr<CompactJws> jws = SplitCompactJws("aa.bbb.cc");
  ASSERT_TRUE(jws.ok());
  EXPECT_EQ(jws->header, "aa");
  EXPECT_EQ(jws->payload, "bbb");
  EXPECT_EQ(jws->signature, "cc");
  EXPECT_EQ(jws->signing_input, "aa.bbb");
  for (const char* text : {"", "a", "a.b", "a.b.c.d", "a.b.c.d.e", "a.b.c."}) {
    EXPECT_FALSE(SplitCompactJws(text).ok()) << text;
  }
}

TEST(CompactJws, HasNoEmptySegment) {
  for (const char* text : {"..", ".b.c", "a..c", "a.b."}) {
    EXPECT_FALSE(SplitCompactJws(text).ok()) << text;
  }
}

TEST(CompactJws, TheJsonSerializationIsRefused) {
  EXPECT_FALSE(
      UnverifiedJwt::Parse(R"({"payload":"e30","protected":"e30","signature":"AA"})").ok());
}

TEST(CompactJws, AByteOutsideTheAlphabetIsRefusedInEachSegment) {
  const TokenMaker& maker = Maker(Algorithm::kHs256);
  const std::string token = maker.Sign(ClaimsText().Json());
  ASSERT_TRUE(UnverifiedJwt::Parse(token).ok());
  for (size_t at = 0; at < token.size(); ++at) {
    if (token[at] == '.') continue;
    for (const char c : {'+', '/', '=', ' ', '\n', '%', '\0', '\x80', '\xFF'}) {
      std::string changed = token;
      changed[at] = c;
      EXPECT_FALSE(UnverifiedJwt::Parse(changed).ok()) << at;
    }
  }
}

TEST(JwsHeader, MembersThatNobodyDefinedAreIgnored) {
  EXPECT_EQ(RefusalOfHeader(R"({"alg":"EdDSA","x5t":"AA","cty":"x","foo":{"bar":[1]}})"), "");
}

TEST(JwsHeader, BothNamesOfEdDsaAreAccepted) {
  EXPECT_EQ(RefusalOfHeader(R"({"alg":"EdDSA"})"), "");
  EXPECT_EQ(RefusalOfHeader(R"({"alg":"Ed25519"})"), "");
}

TEST(JwsHeader, AnAlgorithmThatIsNoneOfOursIsRefused) {
  for (const char* alg : {"\"none\"", "\"None\"", "\"NONE\"", "\"nOnE\"", "\"\"", "\"eddsa\"",
                          "\"EDDSA\"", "\"EdDSA \"", "\"HS384\"", "\"RS1\"", "\"Ed448\"", "null",
                          "0", "[\"EdDSA\"]", "{}", "true", R"("EdDSA\u0000")"}) {
    EXPECT_THAT(RefusalOfHeader(absl::StrCat("{\"alg\":", alg, "}")), HasSubstr("alg")) << alg;
  }
  EXPECT_EQ(RefusalOfHeader("{}"), "header: no alg");
  EXPECT_EQ(RefusalOfHeader(R"({"ALG":"EdDSA"})"), "header: no alg");
}

TEST(JwsHeader, AnAlgorithmNoneWithoutSignatureIsRefused) {
  for (const char* alg : {"none", "None", "NONE"}) {
    const std::string input = absl::StrCat(EncodeBase64Url(absl::StrCat(R"({"alg":")", alg, "\"}")),
                                           ".", EncodeBase64Url(ClaimsText().Json()));
    EXPECT_FALSE(UnverifiedJwt::Parse(absl::StrCat(input, ".")).ok());
    EXPECT_FALSE(UnverifiedJwt::Parse(absl::StrCat(input, ".AA")).ok());
  }
}

TEST(JwsHeader, TypIsAbsentOrJwtOrAccessToken) {
  for (const char* typ : {"JWT", "jwt", "at+jwt", "AT+JWT", "application/jwt", "application/at+jwt",
                          "APPLICATION/AT+jwt"}) {
    EXPECT_EQ(RefusalOfHeader(absl::StrCat(R"({"alg":"EdDSA","typ":")", typ, "\"}")), "") << typ;
  }
}

TEST(JwsHeader, AnyOtherTypIsRefused) {
  for (const char* typ :
       {"\"\"", "\"JWS\"", "\"JOSE\"", "\"application/\"", "\"application/application/jwt\"",
        "\"logout+jwt\"", "\"dpop+jwt\"", "\"better-auth.session-cache+jwt\"", "\"JWT \"",
        "\"text/jwt\"", "null", "1", "[\"JWT\"]"}) {
    EXPECT_EQ(RefusalOfHeader(absl::StrCat(R"({"alg":"EdDSA","typ":)", typ, "}")),
              "header: typ is neither JWT nor at+jwt")
        << typ;
  }
}

TEST(JwsHeader, AHeaderThatBringsAKeyOrExtensionsIsRefused) {
  for (const char* name : {"crit", "b64", "jwk", "jku", "x5u", "x5c"}) {
    for (const char* value : {"null", "[]", "true", "false", "\"\"", "{}", "[\"exp\"]"}) {
      EXPECT_EQ(RefusalOfHeader(absl::StrCat(R"({"alg":"EdDSA",")", name, "\":", value, "}")),
                absl::StrCat("header: ", name, " is not accepted"));
    }
  }
}

TEST(JwsHeader, ANameTwiceIsRefused) {
  EXPECT_THAT(RefusalOfHeader(R"({"alg":"EdDSA","alg":"EdDSA"})"), HasSubstr("twice"));
  EXPECT_THAT(RefusalOfHeader(R"({"alg":"EdDSA","\u0061lg":"EdDSA"})"), HasSubstr("twice"));
}

TEST(JwsHeader, TextThatIsNoJsonObjectIsRefused) {
  for (const char* text :
       {"", "x", "[]", "\"alg\"", "{\"alg\":\"EdDSA\"} {}", "\xEF\xBB\xBF{\"alg\":\"EdDSA\"}",
        "{\"alg\":\"EdDSA\",\"x\":\"\xFF\"}"}) {
    EXPECT_NE(RefusalOfHeader(text), "") << text;
  }
}

TEST(JwsHeader, KidIsAnOpaqueString) {
  for (const char* kid : {"", "a", "../../etc/passwd", "' OR 1=1 --", R"(\u0000\n)"}) {
    const std::string header = absl::StrCat(R"({"alg":"EdDSA","kid":")", kid, "\"}");
    EXPECT_EQ(RefusalOfHeader(header), "");
  }
  const std::string long_kid(1000, 'k');
  const std::string token =
      Maker(Algorithm::kHs256)
          .Sign(absl::StrCat(R"({"alg":"HS256","kid":")", long_kid, "\"}"), ClaimsText().Json());
  const absl::StatusOr<UnverifiedJwt> jwt = UnverifiedJwt::Parse(token);
  ASSERT_TRUE(jwt.ok());
  EXPECT_EQ(jwt->kid(), long_kid);
  for (const char* kid : {"null", "1", "[]", "{}", "true"}) {
    EXPECT_EQ(RefusalOfHeader(absl::StrCat(R"({"alg":"EdDSA","kid":)", kid, "}")),
              "header: kid is not a string");
  }
}

TEST(JwsHeader, WithoutKidThereIsNone) {
  const absl::StatusOr<UnverifiedJwt> jwt =
      UnverifiedJwt::Parse(Maker(Algorithm::kHs256).Sign(ClaimsText().Json()));
  ASSERT_TRUE(jwt.ok());
  EXPECT_EQ(jwt->kid(), std::nullopt);
  EXPECT_EQ(jwt->algorithm(), Algorithm::kHs256);
}

}  // namespace
}  // namespace gatehouse::jose
