#include "server/engine/refusals.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/jose/base64url.h"
#include "tests/engine/counting_key.h"
#include "tests/engine/engine_fixture.h"

namespace gatehouse::engine {
namespace {

using policy::Code;
using Kind = Examination::Kind;

class RefusalsTest : public EngineTest {
 protected:
  using Key = std::shared_ptr<CountingKey>;

  RefusalsTest() { Set({key_}); }

  void Set(std::vector<std::shared_ptr<const jose::VerificationKey>> keys) {
    sources_[0]->Set(jose::KeySet(std::move(keys)));
  }
  static std::string Signed(const std::string& signature,
                            const std::string& header = R"({"alg":"EdDSA","kid":"k"})",
                            const std::string& claims = Claims()) {
    return absl::StrCat(jose::EncodeBase64Url(header), ".", jose::EncodeBase64Url(claims), ".",
                        jose::EncodeBase64Url(signature));
  }
  Code CodeOf(const std::string& token) const { return authorizer_->Examine(token).code; }

  const Key key_ = std::make_shared<CountingKey>("k");
};

TEST_F(RefusalsTest, AForgedTokenSentAgainCostsNoSignatureCheck) {
  const Examination first = authorizer_->Examine(Signed("bad"));
  EXPECT_EQ(first.code, Code::kTokenInvalid);
  EXPECT_FALSE(first.cache_hit);
  for (int i = 0; i < 100; ++i) {
    const Examination again = authorizer_->Examine(Signed("bad"));
    EXPECT_EQ(again.code, Code::kTokenInvalid);
    EXPECT_EQ(again.reason, first.reason);
    EXPECT_EQ(again.identity, first.identity);
    EXPECT_EQ(again.issuer, first.issuer);
    EXPECT_TRUE(again.cache_hit);
  }
  EXPECT_EQ(key_->count(), 1);
}

TEST_F(RefusalsTest, ItIsKnownWithoutVerifyingAnything) {
  CodeOf(Signed("bad"));
  const Ask ask{.effort = Effort::kKnownOnly};
  EXPECT_EQ(authorizer_->Examine(Signed("bad"), ask).kind, Kind::kDecided);
  EXPECT_EQ(authorizer_->Examine(Signed("worse"), ask).kind, Kind::kUnknown);
}

TEST_F(RefusalsTest, CountsForTenSecondsByTheSteadyClock) {
  CodeOf(Signed("bad"));
  clock_.Advance(absl::Seconds(10) - absl::Nanoseconds(1));
  CodeOf(Signed("bad"));
  EXPECT_EQ(key_->count(), 1);
  clock_.Advance(absl::Nanoseconds(1));
  CodeOf(Signed("bad"));
  EXPECT_EQ(key_->count(), 2);
}

TEST_F(RefusalsTest, AJumpOfTheWallClockChangesNothing) {
  CodeOf(Signed("bad"));
  for (const int64_t days : {-400, 400}) {
    clock_.SetWall(absl::FromUnixSeconds(kNow) + absl::Hours(24 * days));
    EXPECT_EQ(CodeOf(Signed("bad")), Code::kTokenInvalid);
  }
  EXPECT_EQ(key_->count(), 1);
}

TEST_F(RefusalsTest, TheSameTextUnderTheRightSignatureIsGood) {
  EXPECT_EQ(CodeOf(Signed("bad")), Code::kTokenInvalid);
  EXPECT_EQ(CodeOf(Signed("good")), Code::kOk);
  EXPECT_EQ(CodeOf(Signed("bad")), Code::kTokenInvalid);
}

TEST_F(RefusalsTest, AnEqualHashIsNotAnEqualToken) {
  Refusals refusals(clock_);
  const auto keys = sources_[0]->Current();
  TokenKey good("good token");
  refusals.Insert(TokenKey("forged"), {authorizer_->FindIssuer(kIssuer), {}}, keys);
  good.hash = TokenKey("forged").hash;
  EXPECT_FALSE(refusals.Find(good).has_value());
  EXPECT_TRUE(refusals.Find(TokenKey("forged")).has_value());
}

TEST_F(RefusalsTest, AKeyThatChangedIsAskedAnew) {
  EXPECT_EQ(CodeOf(Signed("next")), Code::kTokenInvalid);
  Set({std::make_shared<CountingKey>("k", "next")});
  EXPECT_EQ(CodeOf(Signed("next")), Code::kOk);
}

TEST_F(RefusalsTest, AKeyThatIsAddedIsAskedForATokenWithoutKid) {
  const std::string token = Signed("next", R"({"alg":"EdDSA"})");
  EXPECT_EQ(CodeOf(token), Code::kTokenInvalid);
  Set({key_, std::make_shared<CountingKey>("k2", "next")});
  EXPECT_EQ(CodeOf(token), Code::kOk);
}

TEST_F(RefusalsTest, AMissingKeyIsNoReasonToRemember) {
  const std::string token = Signed("next", R"({"alg":"EdDSA","kid":"k2"})");
  EXPECT_EQ(authorizer_->Examine(token).kind, Kind::kNeedsKeys);
  EXPECT_EQ(authorizer_->Examine(token, {.news = KeyNews::kFetched}).code, Code::kTokenInvalid);
  EXPECT_EQ(authorizer_->Examine(token).kind, Kind::kNeedsKeys);
}

TEST_F(RefusalsTest, ClaimsTimeAndRevocationAreNoReasonToRemember) {
  const std::string header = R"({"alg":"EdDSA","kid":"k"})";
  const std::string future = Signed("good", header, Claims(kNow + 100, kNow + 900));
  EXPECT_EQ(CodeOf(future), Code::kTokenInvalid);
  clock_.SetWall(absl::FromUnixSeconds(kNow + 100));
  EXPECT_EQ(CodeOf(future), Code::kOk);
  const std::string long_lived = Signed("good", header, Claims(kNow, kNow + 90'000));
  EXPECT_EQ(CodeOf(long_lived), Code::kTokenInvalid);
  const Ask ask{.effort = Effort::kKnownOnly};
  EXPECT_EQ(authorizer_->Examine(long_lived, ask).kind, Kind::kUnknown);
}

TEST_F(RefusalsTest, ThousandsOfForgeriesPushNoGoodTokenOut) {
  ASSERT_EQ(CodeOf(Signed("good")), Code::kOk);
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(CodeOf(Signed(absl::StrCat("bad", i))), Code::kTokenInvalid);
  }
  EXPECT_TRUE(authorizer_->Examine(Signed("good")).cache_hit);
  EXPECT_EQ(CodeOf(Signed("bad1")), Code::kTokenInvalid);
}

}  // namespace
}  // namespace gatehouse::engine
