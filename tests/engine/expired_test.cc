#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/jose/base64url.h"
#include "tests/engine/counting_key.h"
#include "tests/engine/engine_fixture.h"

// An expired token is paid for once, and costs no good one its place.
namespace gatehouse::engine {
namespace {

using policy::Code;
using revocation::TagKind;
using Kind = Examination::Kind;

class ExpiredTest : public EngineTest {
 protected:
  ExpiredTest() {
    Build({RulesFor(kIssuer)}, {"api", "todo"});
    sources_[0]->Set(jose::KeySet({key_}));
  }

  static std::string Signed(const std::string& claims) {
    return absl::StrCat(jose::EncodeBase64Url(R"({"alg":"EdDSA","kid":"k"})"), ".",
                        jose::EncodeBase64Url(claims), ".", jose::EncodeBase64Url("good"));
  }
  // Expired `seconds` ago, past the skew.
  static std::string Expired(int64_t seconds = 0) {
    return Signed(Claims(kNow - seconds - 900, kNow - seconds - 10));
  }
  Code CodeOf(const std::string& token) const { return authorizer_->Examine(token).code; }

  const std::shared_ptr<CountingKey> key_ = std::make_shared<CountingKey>("k");
};

TEST_F(ExpiredTest, ATokenThatIsSentAgainCostsOneSignatureCheck) {
  const std::string token = Expired();
  const Examination first = authorizer_->Examine(token);
  EXPECT_EQ(first.code, Code::kTokenExpired);
  EXPECT_FALSE(first.cache_hit);
  for (int i = 0; i < 10'000; ++i) {
    const Examination again = authorizer_->Examine(token);
    ASSERT_EQ(again.code, Code::kTokenExpired);
    ASSERT_TRUE(again.cache_hit);
    ASSERT_EQ(again.reason, first.reason);
    ASSERT_EQ(again.token->principal.subject, "ada");
  }
  EXPECT_EQ(key_->count(), 1);
}

TEST_F(ExpiredTest, HoweverLongAgo) {
  const std::string token = Expired(30 * 24 * 3600);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(CodeOf(token), Code::kTokenExpired);
  EXPECT_EQ(key_->count(), 1);
}

TEST_F(ExpiredTest, ItIsKnownWithoutVerifyingAnything) {
  CodeOf(Expired());
  const Ask ask{.effort = Effort::kKnownOnly};
  const Examination out = authorizer_->Examine(Expired(), ask);
  EXPECT_EQ(out.kind, Kind::kDecided);
  EXPECT_EQ(out.code, Code::kTokenExpired);
}

TEST_F(ExpiredTest, ATokenThatExpiresInTheMemoryIsNotPaidForAgain) {
  const std::string token = Signed(Claims());
  ASSERT_EQ(CodeOf(token), Code::kOk);
  clock_.SetWall(absl::FromUnixSeconds(kNow + 910));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(CodeOf(token), Code::kTokenExpired);
  EXPECT_EQ(authorizer_->cache().size(), 0u);
  EXPECT_EQ(key_->count(), 1);
}

TEST_F(ExpiredTest, IsGoodAgainWhenTheClockIsSetBack) {
  const std::string token = Expired();
  ASSERT_EQ(CodeOf(token), Code::kTokenExpired);
  clock_.SetWall(absl::FromUnixSeconds(kNow) - absl::Microseconds(1));
  EXPECT_EQ(CodeOf(token), Code::kOk);
  EXPECT_EQ(authorizer_->cache().size(), 1u) << "back among the good";
  clock_.SetWall(absl::FromUnixSeconds(kNow - 911));
  EXPECT_EQ(CodeOf(token), Code::kTokenInvalid) << "issued in the future now";
  clock_.SetWall(absl::FromUnixSeconds(kNow));
  EXPECT_EQ(CodeOf(token), Code::kTokenExpired);
  EXPECT_EQ(key_->count(), 1);
}

TEST_F(ExpiredTest, TheOrderOfCodesIsThatOfTheFirstSight) {
  const std::string token = Expired();
  CodeOf(token);
  EXPECT_EQ(authorizer_->Examine(token, {.audiences = 2}).code, Code::kTokenInvalid)
      << "for another audience";
  Commit(TagKind::kSubject, "ada");
  EXPECT_EQ(CodeOf(token), Code::kTokenExpired) << "before revoked";
  clock_.SetWall(absl::FromUnixSeconds(kNow - 1));
  EXPECT_EQ(CodeOf(token), Code::kTokenRevoked);
  EXPECT_EQ(key_->count(), 1);
}

TEST_F(ExpiredTest, GoesWithItsKey) {
  CodeOf(Expired());
  sources_[0]->Set(jose::KeySet({std::make_shared<CountingKey>("k", "next")}));
  key_->Retire();
  EXPECT_EQ(CodeOf(Expired()), Code::kTokenInvalid);
}

TEST_F(ExpiredTest, ThousandsOfThemPushNoGoodTokenOut) {
  constexpr int kGood = 200;
  for (int i = 0; i < kGood; ++i) {
    ASSERT_EQ(CodeOf(Signed(Claims(kNow, kNow + 900 - i))), Code::kOk);
  }
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(CodeOf(Expired(i)), Code::kTokenExpired);
  for (int i = 0; i < kGood; ++i) {
    const Examination out = authorizer_->Examine(Signed(Claims(kNow, kNow + 900 - i)));
    ASSERT_TRUE(out.cache_hit) << i;
    ASSERT_EQ(out.code, Code::kOk);
  }
  EXPECT_EQ(CodeOf(Expired(19'999)), Code::kTokenExpired);
  EXPECT_EQ(key_->count(), kGood + 20'000) << "the last one is remembered";
}

TEST_F(ExpiredTest, ManyAtOnceCostAsManyChecksAsThereAreThreads) {
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i) wrong += CodeOf(Expired()) == Code::kTokenExpired ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(key_->count(), kThreads);
}

}  // namespace
}  // namespace gatehouse::engine
