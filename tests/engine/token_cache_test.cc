#include "server/engine/token_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/engine/counting_key.h"

namespace gatehouse::engine {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

// A cache, and tokens to put into it. Each entry's text is its own.
class TokenCacheTest : public ::testing::Test {
 protected:
  using Known = std::shared_ptr<const KnownToken>;

  struct Text {
    std::string token;
    std::string subject;
    KnownToken known;
  };

  Known Make(const std::string& token, const std::string& subject = "ada",
             absl::Time expiry = kNow + absl::Hours(1)) const {
    auto text = std::make_shared<Text>();
    text->token = token;
    text->subject = subject;
    text->known.token = text->token;
    text->known.principal.subject = text->subject;
    text->known.principal.expire_time = expiry;
    text->known.principal.issue_time = kNow - absl::Hours(1);
    text->known.key = key_;
    text->known.issuer = &issuer_;
    text->known.heap_bytes = 600 + token.size();
    return {text, &text->known};
  }
  void Insert(TokenCache& cache, const Known& known, absl::Time now = kNow) const {
    cache.Insert(TokenKey(known->token), known, now);
  }
  static Known Find(const TokenCache& cache, const std::string& token) {
    return cache.Find(TokenKey(token));
  }
  // As many questions as it takes to sweep the whole of a cache of `size` tokens.
  static void Ask(TokenCache& cache, absl::Time now, int size) {
    for (int i = 0; i < 64 * 64 * (2 + size / 64); ++i) cache.Tick(now);
  }

  const std::shared_ptr<const CountingKey> key_ = std::make_shared<CountingKey>("k");
  const TrustedIssuer issuer_;
};

TEST_F(TokenCacheTest, FindsWhatWasInsertedAndNothingElse) {
  TokenCache cache(1 << 20);
  Insert(cache, Make("token-a"));
  ASSERT_NE(Find(cache, "token-a"), nullptr);
  EXPECT_EQ(Find(cache, "token-a")->principal.subject, "ada");
  EXPECT_EQ(Find(cache, "token-"), nullptr);
  EXPECT_EQ(Find(cache, "token-aa"), nullptr);
  EXPECT_EQ(Find(cache, ""), nullptr);
}

TEST_F(TokenCacheTest, AnEqualHashIsNotAnEqualToken) {
  TokenCache cache(1 << 20);
  const Known ada = Make("token-a");
  TokenKey key("token-b");
  key.hash = TokenKey("token-a").hash;
  cache.Insert(TokenKey("token-a"), ada, kNow);
  EXPECT_EQ(cache.Find(key), nullptr);
  cache.Insert(key, Make("token-b", "bob"), kNow);
  EXPECT_EQ(cache.Find(key)->principal.subject, "bob");
  EXPECT_EQ(cache.Find(TokenKey("token-a")), ada);
}

TEST_F(TokenCacheTest, InsertingAgainReplaces) {
  TokenCache cache(1 << 20);
  Insert(cache, Make("t", "ada"));
  const size_t bytes = cache.bytes();
  Insert(cache, Make("t", "bob"));
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.bytes(), bytes);
  EXPECT_EQ(Find(cache, "t")->principal.subject, "bob");
}

TEST_F(TokenCacheTest, OnlyTheVeryEntryIsErased) {
  TokenCache cache(1 << 20);
  const Known old = Make("t", "ada");
  Insert(cache, old);
  const size_t bytes = cache.bytes();
  Insert(cache, Make("t", "bob"));
  cache.Erase(TokenKey("t"), *old);
  ASSERT_NE(Find(cache, "t"), nullptr) << "another thread has put a newer one there";
  cache.Erase(TokenKey("never there"), *old);
  cache.Erase(TokenKey("t"), *Find(cache, "t"));
  EXPECT_EQ(Find(cache, "t"), nullptr);
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_LT(cache.bytes(), bytes);
}

TEST_F(TokenCacheTest, EachOfManyIsFoundWhateverWasTakenOutBetween) {
  TokenCache cache(16 << 20);
  for (int i = 0; i < 5'000; ++i) {
    Insert(cache, Make(absl::StrCat("n", i), absl::StrCat(i)));
    if (i % 3 == 0) {
      const std::string name = absl::StrCat("n", i / 3);
      if (const Known known = Find(cache, name)) cache.Erase(TokenKey(name), *known);
    }
  }
  for (int i = 0; i < 5'000; ++i) {
    const Known known = Find(cache, absl::StrCat("n", i));
    ASSERT_EQ(known == nullptr, i <= 4'998 / 3) << i;
    if (known != nullptr) ASSERT_EQ(known->principal.subject, absl::StrCat(i));
  }
}

TEST_F(TokenCacheTest, StaysWithinItsBytes) {
  constexpr size_t kBytes = 256 * 1024;
  TokenCache cache(kBytes);
  for (int i = 0; i < 20'000; ++i) {
    Insert(cache, Make(absl::StrCat(std::string(300, 't'), i)));
    ASSERT_LE(cache.bytes(), kBytes);
  }
  EXPECT_GT(cache.size(), 64u);
}

TEST_F(TokenCacheTest, WhatIsUsedStaysAndWhatIsNotGoes) {
  TokenCache cache(512 * 1024);
  Insert(cache, Make("kept"));
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_NE(Find(cache, "kept"), nullptr) << i;
    Insert(cache, Make(absl::StrCat("other", i), "bob"));
  }
  EXPECT_EQ(Find(cache, "other0"), nullptr);
}

TEST_F(TokenCacheTest, ATokenLargerThanAShardIsNotKept) {
  TokenCache cache(64 * 1024);
  Insert(cache, Make(std::string(8000, 't')));
  EXPECT_EQ(cache.size(), 0u);
}

TEST_F(TokenCacheTest, AnEntryOutlivesItsEviction) {
  TokenCache cache(1 << 20);
  Insert(cache, Make("t"));
  const auto held = Find(cache, "t");
  cache.Erase(TokenKey("t"), *held);
  EXPECT_EQ(held->principal.subject, "ada");
}

TEST_F(TokenCacheTest, WhatHasExpiredLeavesWhileOthersAreAskedFor) {
  TokenCache cache(16 << 20);
  for (int i = 0; i < 1'000; ++i) {
    Insert(cache, Make(absl::StrCat("short", i), "ada", kNow + absl::Minutes(1)));
    Insert(cache, Make(absl::StrCat("long", i)));
  }
  Ask(cache, kNow + absl::Seconds(70) - absl::Microseconds(1), 2'000);
  EXPECT_EQ(cache.size(), 2'000u);
  Ask(cache, kNow + absl::Seconds(70), 2'000);
  EXPECT_EQ(cache.size(), 1'000u);
  EXPECT_EQ(Find(cache, "short0"), nullptr);
  EXPECT_NE(Find(cache, "long0"), nullptr);
}

TEST_F(TokenCacheTest, WhatHasExpiredGivesWayToWhatIsInserted) {
  TokenCache cache(16 << 20);
  for (int i = 0; i < 4'000; ++i) {
    Insert(cache, Make(absl::StrCat("short", i), "ada", kNow + absl::Minutes(1)));
  }
  const absl::Time later = kNow + absl::Minutes(2);
  for (int i = 0; i < 4'000; ++i) Insert(cache, Make(absl::StrCat("long", i)), later);
  EXPECT_LT(cache.size(), 4'400u);
  for (int i = 0; i < 4'000; ++i) ASSERT_NE(Find(cache, absl::StrCat("long", i)), nullptr);
}

TEST_F(TokenCacheTest, WhatHasLostItsKeyLeavesUnasked) {
  TokenCache cache(16 << 20);
  for (int i = 0; i < 500; ++i) Insert(cache, Make(absl::StrCat("t", i)));
  key_->Retire();
  Ask(cache, kNow, 500);
  EXPECT_EQ(cache.size(), 0u);
}

TEST_F(TokenCacheTest, ATokenOfTheFutureStaysForWhenTheClockIsRight) {
  TokenCache cache(16 << 20);
  Insert(cache, Make("t"));
  Ask(cache, kNow - absl::Hours(24 * 365), 1);
  EXPECT_NE(Find(cache, "t"), nullptr);
}

TEST_F(TokenCacheTest, ManyThreadsSeeWholeEntries) {
  TokenCache cache(128 * 1024);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5'000; ++i) {
        const std::string name = absl::StrCat("n", (i * 7 + t) % 50);
        const Known known = Find(cache, name);
        if (known != nullptr) {
          wrong += known->principal.subject == name ? 0 : 1;
          if (i % 97 == 0) cache.Erase(TokenKey(name), *known);
        } else {
          Insert(cache, Make(name, name));
        }
        cache.Tick(kNow + absl::Hours(i % 3));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace gatehouse::engine
