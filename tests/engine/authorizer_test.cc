#include "server/engine/authorizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/engine/engine_fixture.h"

namespace gatehouse::engine {
namespace {

using policy::Code;
using revocation::TagKind;
using Kind = Examination::Kind;

TEST_F(EngineTest, AGoodTokenIsOkAndSaysWhoseItIs) {
  const Examination out = authorizer_->Examine(Token());
  EXPECT_EQ(out.kind, Kind::kDecided);
  EXPECT_EQ(out.code, Code::kOk);
  ASSERT_NE(out.token, nullptr);
  EXPECT_EQ(out.token->principal.subject, "ada");
  EXPECT_EQ(out.token->principal.tenant, "acme");
  EXPECT_EQ(out.token->rendered, "rendered ada");
  EXPECT_FALSE(out.cache_hit);
}

TEST_F(EngineTest, TheSecondLookIsACacheHitWithTheSameAnswer) {
  const std::string token = Token();
  authorizer_->Examine(token);
  const Examination out = authorizer_->Examine(token);
  EXPECT_TRUE(out.cache_hit);
  EXPECT_EQ(out.code, Code::kOk);
  EXPECT_EQ(out.token->principal.subject, "ada");
}

TEST_F(EngineTest, ATokenWithItsSchemeBeforeItIsInvalidAndTheLogSaysWhy) {
  const Examination out = authorizer_->Examine("Bearer " + Token());
  EXPECT_EQ(out.code, Code::kTokenInvalid);
  EXPECT_THAT(out.reason, ::testing::HasSubstr("Bearer"));
}

TEST_F(EngineTest, NoTokenIsMissing) {
  EXPECT_EQ(authorizer_->Examine("").code, Code::kTokenMissing);
}

TEST_F(EngineTest, GarbageAndATokenOfNobodyAreInvalid) {
  EXPECT_EQ(authorizer_->Examine("x").code, Code::kTokenInvalid);
  EXPECT_EQ(authorizer_->Examine(std::string(64 * 1024, 'a')).code, Code::kTokenInvalid);
  EXPECT_EQ(authorizer_->Examine(maker_.Sign(Claims(kNow, kNow + 900, "", "https://other"))).code,
            Code::kTokenInvalid);
  const Examination out = authorizer_->Examine("x");
  EXPECT_EQ(out.token, nullptr);
  EXPECT_FALSE(out.reason.empty());
}

TEST_F(EngineTest, AnAlgorithmThatIsNotListedNeverReachesTheKeys) {
  const TokenMaker es256(jose::Algorithm::kEs256);
  const Examination out = authorizer_->Examine(es256.Sign(Claims()));
  EXPECT_EQ(out.kind, Kind::kDecided) << "no fetch for it";
  EXPECT_EQ(out.code, Code::kTokenInvalid);
}

TEST_F(EngineTest, AKeyOfOneIssuerVouchesForNoOther) {
  Build({RulesFor(kIssuer), RulesFor("https://second.example")});
  const TokenMaker second(jose::Algorithm::kEdDsa, maker_.kid());  // an equal kid
  sources_[0]->Set(SetOf({&maker_}));
  sources_[1]->Set(SetOf({&second}));
  EXPECT_EQ(authorizer_->Examine(Token()).code, Code::kOk);
  EXPECT_EQ(authorizer_->Examine(second.Sign(Claims())).code, Code::kTokenInvalid);
}

TEST_F(EngineTest, ATokenIsGoodUntilExpAndSkewAlsoWhenRemembered) {
  const std::string token = Token(kNow, kNow + 900);
  clock_.SetWall(absl::FromUnixSeconds(kNow + 910) - absl::Microseconds(1));
  EXPECT_EQ(authorizer_->Examine(token).code, Code::kOk);
  clock_.SetWall(absl::FromUnixSeconds(kNow + 910));
  const Examination out = authorizer_->Examine(token);
  EXPECT_TRUE(out.cache_hit);
  EXPECT_EQ(out.code, Code::kTokenExpired);
  EXPECT_EQ(authorizer_->Examine(Token(kNow, kNow + 899)).code, Code::kTokenExpired);
}

TEST_F(EngineTest, ARememberedTokenOfTheFutureIsInvalidWhenTheClockIsSetBack) {
  const std::string token = Token();
  EXPECT_EQ(authorizer_->Examine(token).code, Code::kOk);
  clock_.SetWall(absl::FromUnixSeconds(kNow - 11));
  EXPECT_EQ(authorizer_->Examine(token).code, Code::kTokenInvalid);
}

struct TagCase {
  TagKind kind;
  const char* value;
  bool revokes;
};
class EveryTagTest : public EngineTest, public ::testing::WithParamInterface<TagCase> {};

TEST_P(EveryTagTest, ReachesFreshAndRememberedTokens) {
  const std::string remembered = Token();
  const std::string fresh = Token(kNow, kNow + 901);
  ASSERT_EQ(authorizer_->Examine(remembered).code, Code::kOk);
  const std::string value =
      GetParam().kind == TagKind::kKey ? maker_.kid() : std::string(GetParam().value);
  Commit(GetParam().kind, value);
  const Code expected = GetParam().revokes ? Code::kTokenRevoked : Code::kOk;
  EXPECT_EQ(authorizer_->Examine(remembered).code, expected);
  EXPECT_EQ(authorizer_->Examine(fresh).code, expected);
}

INSTANTIATE_TEST_SUITE_P(All, EveryTagTest,
                         ::testing::Values(TagCase{TagKind::kTokenId, "t1", true},
                                           TagCase{TagKind::kSession, "s1", true},
                                           TagCase{TagKind::kSubject, "ada", true},
                                           TagCase{TagKind::kTenant, "acme", true},
                                           TagCase{TagKind::kKey, "", true},
                                           TagCase{TagKind::kTokenId, "t2", false},
                                           TagCase{TagKind::kSession, "t1", false},
                                           TagCase{TagKind::kSubject, "Ada", false},
                                           TagCase{TagKind::kTenant, "ada", false},
                                           TagCase{TagKind::kClient, "", false}));

TEST_F(EngineTest, AnotherIssuersRevocationDoesNotReach) {
  Commit(TagKind::kSubject, "ada", revocation::kAll, "https://second.example");
  EXPECT_EQ(authorizer_->Examine(Token()).code, Code::kOk);
}

TEST_F(EngineTest, IssuedUntilCoversTheWholeSecondOfIat) {
  Commit(TagKind::kSubject, "ada", kNow);
  EXPECT_EQ(authorizer_->Examine(Token(kNow)).code, Code::kTokenRevoked);
  EXPECT_EQ(authorizer_->Examine(Token(kNow + 1)).code, Code::kOk);
  const std::string fraction =
      maker_.Sign(R"({"iss":"https://issuer.example","aud":"api","sub":"ada","iat":1800000000.9,)"
                  R"("exp":1800000900})");
  EXPECT_EQ(authorizer_->Examine(fraction).code, Code::kTokenRevoked);
}

TEST_F(EngineTest, ATokenWithoutIatIsCoveredByEveryTime) {
  jose::IssuerRules rules = RulesFor(kIssuer);
  rules.allow_missing_iat = true;
  Build({rules});
  sources_[0]->Set(SetOf({&maker_}));
  const std::string token =
      maker_.Sign(R"({"iss":"https://issuer.example","aud":"api","sub":"ada","exp":1800000900})");
  EXPECT_EQ(authorizer_->Examine(token).code, Code::kOk);
  Commit(TagKind::kSubject, "ada", 0);
  EXPECT_EQ(authorizer_->Examine(token).code, Code::kTokenRevoked);
}

TEST_F(EngineTest, ExpiredComesBeforeRevokedAndRevokedBeforePermissions) {
  Commit(TagKind::kSubject, "ada");
  EXPECT_EQ(authorizer_->Examine(Token(kNow - 1000, kNow - 10)).code, Code::kTokenExpired);
  EXPECT_EQ(Authorize(Token(), {"task/1", "bob", "read", ""}).code, Code::kTokenRevoked);
}

TEST_F(EngineTest, TheOwnerMayAndAStrangerMayNot) {
  EXPECT_EQ(Authorize(Token(), {"task/1", "ada", "read", ""}).code, Code::kOk);
  const Examination out = Authorize(Token(), {"task/1", "bob", "read", ""});
  EXPECT_EQ(out.code, Code::kInsufficientPermissions);
  ASSERT_NE(out.token, nullptr) << "the token is good";
}

TEST_F(EngineTest, ARevisionIsNeverAheadOfWhatWasConsulted) {
  EXPECT_EQ(authorizer_->Examine(Token()).revision, 0);
  Commit(TagKind::kSession, "other");
  EXPECT_EQ(authorizer_->Examine(Token()).revision, 1);
  EXPECT_EQ(authorizer_->Examine("x").revision, 1);
}

TEST_F(EngineTest, WithoutAnyKeysATokenIsUndecidedAndNeverBad) {
  Build({RulesFor(kIssuer)});
  const Examination first = authorizer_->Examine(Token());
  EXPECT_EQ(first.kind, Kind::kNeedsKeys);
  EXPECT_EQ(first.wait_for, sources_[0]);
  EXPECT_EQ(authorizer_->Examine(Token(), {.news = KeyNews::kFailed}).kind, Kind::kUnavailable);
  EXPECT_EQ(authorizer_->Examine(Token(), {.news = KeyNews::kFetched}).kind, Kind::kUnavailable)
      << "a fetch that left no keys proves nothing";
}

TEST_F(EngineTest, AnUnknownKidIsBadOnlyWhenAFreshSetLacksIt) {
  const TokenMaker rotated(jose::Algorithm::kEdDsa);
  const std::string token = rotated.Sign(Claims());
  EXPECT_EQ(authorizer_->Examine(token).kind, Kind::kNeedsKeys);
  EXPECT_EQ(authorizer_->Examine(token, {.news = KeyNews::kFailed}).kind, Kind::kUnavailable);
  EXPECT_EQ(authorizer_->Examine(token, {.news = KeyNews::kFetched}).code, Code::kTokenInvalid);
  sources_[0]->Set(SetOf({&maker_, &rotated}));
  EXPECT_EQ(authorizer_->Examine(token, {.news = KeyNews::kFetched}).code, Code::kOk);
  EXPECT_EQ(authorizer_->Examine(token).code, Code::kOk);
}

TEST_F(EngineTest, AKnownKidIsServedWhileTheIssuerIsAway) {
  EXPECT_EQ(authorizer_->Examine(Token(), {.news = KeyNews::kFailed}).code, Code::kOk);
}

TEST_F(EngineTest, ARememberedTokenGoesWithItsKey) {
  const std::string token = Token();
  ASSERT_EQ(authorizer_->Examine(token).code, Code::kOk);
  ASSERT_TRUE(authorizer_->Examine(token).cache_hit);
  const TokenMaker rotated(jose::Algorithm::kEdDsa);
  sources_[0]->Set(SetOf({&rotated}));
  const Examination out = authorizer_->Examine(token, {.news = KeyNews::kFetched});
  EXPECT_FALSE(out.cache_hit);
  EXPECT_EQ(out.code, Code::kTokenInvalid);
}

TEST_F(EngineTest, AKeyThatChangedUnderAnEqualKidNoLongerVouches) {
  const std::string token = Token();
  ASSERT_EQ(authorizer_->Examine(token).code, Code::kOk);
  const TokenMaker changed(jose::Algorithm::kEdDsa, maker_.kid());
  sources_[0]->Set(SetOf({&changed}));
  EXPECT_EQ(authorizer_->Examine(token).code, Code::kTokenInvalid);
}

TEST_F(EngineTest, AWrongSignatureUnderAKnownKidRaisesSuspicionAndNothingElseDoes) {
  const TokenMaker replaced(jose::Algorithm::kEdDsa, maker_.kid());
  EXPECT_EQ(authorizer_->Examine(replaced.Sign(Claims())).code, Code::kTokenInvalid);
  EXPECT_EQ(sources_[0]->suspected(), 1);
  authorizer_->Examine(Token());
  authorizer_->Examine(Token(kNow, kNow + 90'000));
  authorizer_->Examine(TokenMaker(jose::Algorithm::kEdDsa, "other").Sign(Claims()));
  EXPECT_EQ(sources_[0]->suspected(), 1);
}

TEST_F(EngineTest, ASetThatComesWhileAKeyIsMissedIsNoReasonToCallATokenInvalid) {
  sources_[0]->Clear();
  sources_[0]->AfterNextLook(SetOf({&maker_}));
  EXPECT_EQ(authorizer_->Examine(Token(), {.news = KeyNews::kFetched}).kind, Kind::kUnavailable);
  EXPECT_EQ(authorizer_->Examine(Token(), {.news = KeyNews::kFetched}).code, Code::kOk);
}

TEST_F(EngineTest, AnotherSignatureOverTheSameTextIsAnotherLookUp) {
  const std::string token = Token();
  ASSERT_EQ(authorizer_->Examine(token).code, Code::kOk);
  std::string forged = token;
  forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
  EXPECT_EQ(authorizer_->Examine(forged).code, Code::kTokenInvalid);
}

TEST_F(EngineTest, ATokenWithoutKidIsTriedOnTheKeysOfItsAlgorithm) {
  const TokenMaker other(jose::Algorithm::kEdDsa);
  sources_[0]->Set(SetOf({&other, &maker_}));
  EXPECT_EQ(authorizer_->Examine(maker_.Sign(R"({"alg":"EdDSA"})", Claims())).code, Code::kOk);
  const TokenMaker stranger(jose::Algorithm::kEdDsa);
  EXPECT_EQ(authorizer_->Examine(stranger.Sign(R"({"alg":"EdDSA"})", Claims())).code,
            Code::kTokenInvalid);
}

TEST_F(EngineTest, ATokenWithoutKidIsUndecidedWhereNotAllKeysThatFitWereTried) {
  const std::string strangers =
      TokenMaker(jose::Algorithm::kEdDsa).Sign(R"({"alg":"EdDSA"})", Claims());
  std::vector<std::shared_ptr<const jose::VerificationKey>> keys;
  for (int i = 0; i < 15; ++i) {
    keys.push_back(SetOf({std::make_unique<TokenMaker>(jose::Algorithm::kEdDsa).get()}).keys()[0]);
  }
  keys.push_back(SetOf({&maker_}).keys()[0]);
  sources_[0]->Set(jose::KeySet(keys));
  const Ask fetched{.news = KeyNews::kFetched};
  EXPECT_EQ(authorizer_->Examine(maker_.Sign(R"({"alg":"EdDSA"})", Claims()), fetched).code,
            Code::kOk);
  EXPECT_EQ(authorizer_->Examine(strangers, fetched).code, Code::kTokenInvalid);

  keys.push_back(SetOf({std::make_unique<TokenMaker>(jose::Algorithm::kEdDsa).get()}).keys()[0]);
  sources_[0]->Set(jose::KeySet(keys));
  const Examination out = authorizer_->Examine(strangers, fetched);
  EXPECT_EQ(out.kind, Kind::kUnavailable);
  EXPECT_THAT(out.reason, ::testing::HasSubstr("more keys"));
}

TEST_F(EngineTest, ASecretServesWhateverTheTokensKid) {
  jose::IssuerRules rules = RulesFor(kIssuer);
  rules.algorithms = {jose::Algorithm::kHs256};
  Build({rules});
  const TokenMaker secret(jose::Algorithm::kHs256);
  auto key = jose::MakeHmacKey(Secret(secret.secret()), {jose::Algorithm::kHs256});
  ASSERT_TRUE(key.ok()) << key.status();
  sources_[0]->Set(jose::KeySet({*key}));
  EXPECT_EQ(authorizer_->Examine(secret.Sign(Claims())).code, Code::kOk);
  EXPECT_EQ(authorizer_->Examine(secret.Sign(R"({"alg":"HS256","kid":"any"})", Claims())).code,
            Code::kOk);
}

TEST_F(EngineTest, ARefusalIsNamedByTheTokensIdentityAndItsTrustedIssuer) {
  std::string forged = Token();
  forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
  const Examination out = authorizer_->Examine(forged);
  ASSERT_TRUE(out.identity.has_value());
  const auto& identity = authorizer_->Examine(Token()).token->identity;
  EXPECT_TRUE(std::equal(out.identity->begin(), out.identity->end(), identity.begin()));
  EXPECT_EQ(out.issuer, authorizer_->FindIssuer(kIssuer));
  EXPECT_FALSE(authorizer_->Examine("x").identity.has_value());
}

TEST_F(EngineTest, ARefusedTokenIsNotRemembered) {
  authorizer_->Examine(Token(kNow - 1000, kNow - 10));
  authorizer_->Examine("x");
  EXPECT_EQ(authorizer_->cache().size(), 0u);
}

}  // namespace
}  // namespace gatehouse::engine
