#include "server/frontend/watchers.h"

#include <gtest/gtest.h>

namespace gatehouse::frontend {
namespace {

// How many of up to `wanted` places the caller gets.
int Take(Watchers& watchers, size_t caller, int wanted) {
  int got = 0;
  while (got < wanted && watchers.Enter(caller)) ++got;
  return got;
}

TEST(WatchersTest, NoCallerHasMoreThanItsShare) {
  Watchers watchers;
  EXPECT_EQ(Take(watchers, 1, Watchers::kMax), Watchers::kMaxOfACaller);
  EXPECT_EQ(Take(watchers, 2, 1), 1);
}

TEST(WatchersTest, TwoGreedyCallersLeavePlacesForThoseWhoHaveFew) {
  Watchers watchers;
  const int open = Watchers::kMax - Watchers::kReserve;
  EXPECT_EQ(Take(watchers, 1, Watchers::kMax) + Take(watchers, 2, Watchers::kMax), open);
  for (size_t caller = 3; caller < 7; ++caller) {
    EXPECT_EQ(Take(watchers, caller, Watchers::kMax), Watchers::kFew);
  }
  EXPECT_FALSE(watchers.Enter(7)) << "all places are taken";
  watchers.Leave(3);
  EXPECT_FALSE(watchers.Enter(1));
  EXPECT_TRUE(watchers.Enter(7));
}

TEST(WatchersTest, OneWhoHasFewMayUseTheReserveUpToThem) {
  Watchers watchers;
  EXPECT_EQ(Take(watchers, 1, 10), 10);
  EXPECT_EQ(Take(watchers, 2, Watchers::kMax), Watchers::kMaxOfACaller);
  EXPECT_EQ(Take(watchers, 3, Watchers::kMax),
            Watchers::kMax - Watchers::kReserve - Watchers::kMaxOfACaller - 10);
  EXPECT_EQ(Take(watchers, 1, Watchers::kMax), Watchers::kFew - 10);
}

TEST(WatchersTest, APlaceThatWasGivenBackIsFree) {
  Watchers watchers;
  EXPECT_EQ(Take(watchers, 1, Watchers::kMax), Watchers::kMaxOfACaller);
  watchers.Leave(1);
  EXPECT_TRUE(watchers.Enter(1));
  EXPECT_FALSE(watchers.Enter(1));
}

}  // namespace
}  // namespace gatehouse::frontend
