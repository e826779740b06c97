#include "server/engine/token_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace gatehouse::engine {
namespace {

std::shared_ptr<const KnownToken> Known(const std::string& subject) {
  auto known = std::make_shared<KnownToken>();
  known->principal.subject = subject;
  known->rendered = std::string(100, 'r');
  return known;
}

TEST(TokenCacheTest, FindsWhatWasInsertedAndNothingElse) {
  TokenCache cache(1 << 20);
  cache.Insert("token-a", Known("ada"));
  ASSERT_NE(cache.Find("token-a"), nullptr);
  EXPECT_EQ(cache.Find("token-a")->principal.subject, "ada");
  EXPECT_EQ(cache.Find("token-"), nullptr);
  EXPECT_EQ(cache.Find("token-aa"), nullptr);
  EXPECT_EQ(cache.Find(""), nullptr);
}

TEST(TokenCacheTest, InsertingAgainReplaces) {
  TokenCache cache(1 << 20);
  cache.Insert("t", Known("ada"));
  const size_t bytes = cache.bytes();
  cache.Insert("t", Known("bob"));
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.bytes(), bytes);
  EXPECT_EQ(cache.Find("t")->principal.subject, "bob");
}

TEST(TokenCacheTest, ErasedIsGone) {
  TokenCache cache(1 << 20);
  cache.Insert("t", Known("ada"));
  cache.Erase("t");
  cache.Erase("never there");
  EXPECT_EQ(cache.Find("t"), nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(TokenCacheTest, StaysWithinItsBytes) {
  constexpr size_t kBytes = 256 * 1024;
  TokenCache cache(kBytes);
  for (int i = 0; i < 20'000; ++i) {
    cache.Insert(absl::StrCat(std::string(300, 't'), i), Known("ada"));
    ASSERT_LE(cache.bytes(), kBytes);
  }
  EXPECT_GT(cache.size(), 64u);
}

TEST(TokenCacheTest, TheLeastRecentlyUsedGoFirst) {
  TokenCache cache(256 * 1024);
  cache.Insert("kept", Known("ada"));
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_NE(cache.Find("kept"), nullptr) << i;
    cache.Insert(absl::StrCat("other", i), Known("bob"));
  }
  EXPECT_EQ(cache.Find("other0"), nullptr);
}

TEST(TokenCacheTest, ATokenLargerThanAShardIsNotKept) {
  TokenCache cache(64 * 1024);
  cache.Insert(std::string(8000, 't'), Known("ada"));
  EXPECT_EQ(cache.size(), 0u);
}

TEST(TokenCacheTest, AnEntryOutlivesItsEviction) {
  TokenCache cache(1 << 20);
  cache.Insert("t", Known("ada"));
  const auto held = cache.Find("t");
  cache.Erase("t");
  EXPECT_EQ(held->principal.subject, "ada");
}

TEST(TokenCacheTest, ManyThreadsSeeWholeEntries) {
  TokenCache cache(64 * 1024);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5'000; ++i) {
        const std::string name = absl::StrCat("n", (i * 7 + t) % 50);
        if (const auto known = cache.Find(name); known != nullptr) {
          wrong += known->principal.subject == name ? 0 : 1;
        } else {
          cache.Insert(name, Known(name));
        }
        if (i % 97 == 0) cache.Erase(name);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace gatehouse::engine
