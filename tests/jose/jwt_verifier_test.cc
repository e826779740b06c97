#include "server/jose/jwt_verifier.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/jose/base64url.h"
#include "tests/jose/jose_fixture.h"

namespace gatehouse::jose {
namespace {

// A token of exactly `size` bytes that is right otherwise.
std::string TokenOfSize(size_t size) {
  const TokenMaker& maker = Maker(Algorithm::kHs256);
  for (const char* extra : {"", "x", "xx"}) {  // three lengths of header reach every size
    const std::string header = absl::StrCat(R"({"alg":"HS256","x":")", extra, "\"}");
    for (size_t filler = size * 3 / 4 - 400; filler < size; ++filler) {
      const std::string claims =
          ClaimsText().With("f", absl::StrCat("\"", std::string(filler, 'f'), "\"")).Json();
      const size_t length = EncodeBase64Url(header).size() + EncodeBase64Url(claims).size() + 45;
      if (length == size) return maker.Sign(header, claims);
      if (length > size) break;
    }
  }
  ADD_FAILURE() << "no such token";
  return "";
}

TEST(JwtVerifier, ATokenOfEightKibibytesIsAcceptedAndOneMoreByteRefused) {
  const Key key = KeyOf(Maker(Algorithm::kHs256));
  const std::string longest = TokenOfSize(kMaxTokenBytes);
  ASSERT_EQ(longest.size(), kMaxTokenBytes);
  EXPECT_TRUE(Verified(longest, Rules(), key).ok());
  const std::string longer = TokenOfSize(kMaxTokenBytes + 1);
  ASSERT_EQ(longer.size(), kMaxTokenBytes + 1);
  EXPECT_EQ(Verified(longer, Rules(), key).status().message(), "longer than 8192 bytes");
}

TEST(JwtVerifier, ClaimsNestedDeeperThanSixteenAreRefused) {
  const auto nested = [](size_t depth) {
    return ClaimsText()
        .With("x", absl::StrCat(std::string(depth, '['), std::string(depth, ']')))
        .Json();
  };
  EXPECT_EQ(RefusalOfClaims(nested(15)), "");
  EXPECT_EQ(RefusalOfClaims(nested(16)), "claims: JSON nested deeper than 16");
}

TEST(JwtVerifier, ClaimsThatAreNoJsonObjectAreRefused) {
  for (const char* claims : {"", "x", "[]", "null", "\"{}\"", "{}x"}) {
    EXPECT_NE(RefusalOfClaims(claims), "") << claims;
  }
  const std::string good = ClaimsText().Json();
  EXPECT_EQ(RefusalOfClaims(absl::StrCat(good, " ")), "");
  EXPECT_NE(RefusalOfClaims(absl::StrCat(good, std::string(1, '\0'))), "");
  EXPECT_NE(RefusalOfClaims(absl::StrCat("\xEF\xBB\xBF", good)), "");
}

TEST(JwtVerifier, TheIdentityIsTheHashOfTheSigningInput) {
  const TokenMaker& maker = Maker(Algorithm::kHs256);
  const std::string token = maker.Sign(ClaimsText().Json());
  const absl::StatusOr<UnverifiedJwt> jwt = UnverifiedJwt::Parse(token);
  ASSERT_TRUE(jwt.ok());
  EXPECT_EQ(jwt->identity(), Sha256(absl::string_view(token).substr(0, token.rfind('.'))));
  const absl::StatusOr<VerifiedJwt> verified = Verified(token, Rules(), KeyOf(maker));
  ASSERT_TRUE(verified.ok());
  EXPECT_EQ(verified->identity(), jwt->identity());
}

TEST(JwtVerifier, TheTokensTextMayGoOnceItIsParsed) {
  const TokenMaker& maker = Maker(Algorithm::kEs256);
  auto token = std::make_unique<std::string>(maker.Sign(ClaimsText().Json()));
  absl::StatusOr<UnverifiedJwt> jwt = UnverifiedJwt::Parse(*token);
  ASSERT_TRUE(jwt.ok());
  token.reset();
  // Another token in between uses the same parser.
  ASSERT_TRUE(VerifiedClaims(ClaimsText().With("sub", "\"somebody else\"").Json()).ok());
  const absl::StatusOr<VerifiedJwt> verified =
      JwtVerifier::Verify(*std::move(jwt), Rules(), KeyOf(maker));
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->claims().subject, "user-1");
}

TEST(JwtVerifier, ALongTokenThatWaitedIsStillItself) {
  const TokenMaker& maker = Maker(Algorithm::kEdDsa);
  const auto claims = [](absl::string_view org) {
    return ClaimsText()
        .With("f", absl::StrCat("\"", std::string(3000, 'f'), "\""))
        .With("org", absl::StrCat("\"", org, "\""))
        .Json();
  };
  absl::StatusOr<UnverifiedJwt> first = UnverifiedJwt::Parse(maker.Sign(claims("one")));
  absl::StatusOr<UnverifiedJwt> second = UnverifiedJwt::Parse(maker.Sign(claims("two")));
  ASSERT_TRUE(first.ok() && second.ok());
  const Key key = KeyOf(maker);
  const absl::StatusOr<VerifiedJwt> one = JwtVerifier::Verify(*std::move(first), Rules(), key);
  const absl::StatusOr<VerifiedJwt> two = JwtVerifier::Verify(*std::move(second), Rules(), key);
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(one->claims().tenant, "one");
  EXPECT_EQ(two->claims().tenant, "two");
}

TEST(JwtVerifier, TheFirstCandidateThatVerifiesIsTheKey) {
  const TokenMaker& maker = Maker(Algorithm::kEdDsa);
  const Key right = KeyOf(maker);
  const Key wrong = KeyOf(TokenMaker(Algorithm::kEdDsa));
  const Key other = KeyOf(Maker(Algorithm::kEs256));
  const std::string token = maker.Sign(R"({"alg":"EdDSA"})", ClaimsText().Json());
  const auto verify = [&](const std::vector<Key>& candidates) {
    return JwtVerifier::Verify(*UnverifiedJwt::Parse(token), Rules(), candidates);
  };
  const absl::StatusOr<VerifiedJwt> verified = verify({other, wrong, right});
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->key(), right);
  EXPECT_EQ(verify({other, wrong}).status().message(), "the signature is wrong");
  EXPECT_EQ(verify({}).status().message(), "no key for it");
  EXPECT_EQ(verify({nullptr}).status().message(), "no key for it");
}

TEST(JwtVerifier, ARefusalSaysWhichStepFailed) {
  const TokenMaker& maker = Maker(Algorithm::kEdDsa);
  const Key right = KeyOf(maker);
  const Key wrong = KeyOf(TokenMaker(Algorithm::kEdDsa));
  const Key other = KeyOf(Maker(Algorithm::kEs256));
  const Key retired = KeyOf(maker);
  retired->Retire();
  const auto step = [&](const ClaimsText& claims, const IssuerRules& rules,
                        const std::vector<Key>& keys) {
    VerifyStep failed = VerifyStep::kAlgorithm;
    const absl::StatusOr<VerifiedJwt> jwt =
        JwtVerifier::Verify(*UnverifiedJwt::Parse(maker.Sign(claims.Json())), rules, keys, &failed);
    EXPECT_FALSE(jwt.ok());
    return failed;
  };
  const ClaimsText good;
  IssuerRules rules = Rules();
  EXPECT_EQ(step(good, rules, {}), VerifyStep::kKey);
  EXPECT_EQ(step(good, rules, {other, nullptr, retired}), VerifyStep::kKey);
  EXPECT_EQ(step(good, rules, {wrong}), VerifyStep::kSignature);
  EXPECT_EQ(step(good, rules, {wrong, retired, other}), VerifyStep::kSignature);
  EXPECT_EQ(step(good.With("iss", "\"x\""), rules, {right}), VerifyStep::kClaims);
  EXPECT_EQ(step(good.Without("iat"), rules, {right}), VerifyStep::kClaims);
  EXPECT_EQ(step(good.With("org", "7"), rules, {right}), VerifyStep::kClaims);
  EXPECT_EQ(step(good.With("aud", "\"x\""), rules, {right}), VerifyStep::kAudience);
  EXPECT_EQ(step(good.With("aud", "\"x\""), rules, {wrong}), VerifyStep::kAudience);
  rules.algorithms = {Algorithm::kEs256};
  EXPECT_EQ(step(good, rules, {right}), VerifyStep::kAlgorithm);
}

TEST(JwtVerifier, APublicKeysBytesAreNoHmacSecret) {
  const TokenMaker& maker = Maker(Algorithm::kRs256);
  const TokenMaker& hmac = Maker(Algorithm::kHs256);
  const std::string forged =
      hmac.Sign(absl::StrCat(R"({"alg":"HS256","kid":")", maker.kid(), "\"}"), ClaimsText().Json());
  ASSERT_TRUE(Verified(forged, Rules(), KeyOf(hmac)).ok());
  EXPECT_EQ(Verified(forged, Rules(), KeyOf(maker)).status().message(), "alg is not the key's");
}

}  // namespace
}  // namespace gatehouse::jose
