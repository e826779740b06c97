#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/jose/jose_fixture.h"

namespace gatehouse::jose {
namespace {

// More threads than a pool has contexts, on one key, with good and bad tokens.
TEST(Concurrency, ThreadsThatShareAKeyDoNotDisturbEachOther) {
  constexpr int kThreads = 20;
  constexpr int kRounds = 20;
  for (const Algorithm algorithm : AllAlgorithms()) {
    const TokenMaker& maker = Maker(algorithm);
    const Key key = KeyOf(maker);
    ASSERT_NE(key, nullptr);
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        const std::string subject = absl::StrCat("user-", t);
        const std::string token =
            maker.Sign(ClaimsText().With("sub", absl::StrCat("\"", subject, "\"")).Json());
        std::string forged = token;
        forged[forged.size() - 20] = forged[forged.size() - 20] == 'A' ? 'B' : 'A';
        for (int i = 0; i < kRounds; ++i) {
          const absl::StatusOr<VerifiedJwt> good = Verified(token, Rules(), key);
          if (!good.ok() || good->claims().subject != subject) ++wrong;
          if (Verified(forged, Rules(), key).ok()) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0) << NameOf(algorithm);
  }
}

TEST(Concurrency, AKeyMayBeRetiredWhileOthersVerify) {
  const TokenMaker& maker = Maker(Algorithm::kHs256);
  const Key key = KeyOf(maker);
  const std::string token = maker.Sign(ClaimsText().Json());
  std::atomic<bool> verified_once = false;
  std::thread verifier([&] {
    while (Verified(token, Rules(), key).ok()) verified_once = true;
  });
  while (!verified_once) std::this_thread::yield();
  key->Retire();
  verifier.join();
  EXPECT_FALSE(Verified(token, Rules(), key).ok());
}

}  // namespace
}  // namespace gatehouse::jose
