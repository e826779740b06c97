#include "server/frontend/fair_waits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "server/frontend/shares.h"

namespace gatehouse::frontend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(FairWaitsTest, BeyondItsShareACallersOldestGivesUp) {
  FairWaits waits(2, 2);
  std::vector<int> gave_up;
  for (int i = 0; i < 4; ++i) waits.Enter(0, [&, i] { gave_up.push_back(i); });
  EXPECT_THAT(gave_up, ElementsAre(0, 1));
}

TEST(FairWaitsTest, OneCallersFloodMovesNobodyElse) {
  FairWaits waits(2, 2);
  bool moved = false;
  waits.Enter(1, [&] { moved = true; });
  for (int i = 0; i < 100; ++i) waits.Enter(0, [] {});
  EXPECT_FALSE(moved);
}

TEST(FairWaitsTest, WhoLeavesMakesRoomAndIsNotCalled) {
  FairWaits waits(1, 2);
  std::vector<int> gave_up;
  const auto first = waits.Enter(0, [&] { gave_up.push_back(0); });
  waits.Enter(0, [&] { gave_up.push_back(1); });
  waits.Leave(0, first);
  waits.Enter(0, [&] { gave_up.push_back(2); });
  EXPECT_THAT(gave_up, IsEmpty());
  waits.Enter(0, [&] { gave_up.push_back(3); });
  EXPECT_THAT(gave_up, ElementsAre(1));
  waits.Leave(0, first);  // again: nothing
}

TEST(FairWaitsTest, WhoGivesUpMayLeaveAtOnce) {
  FairWaits waits(1, 1);
  FairWaits::Ticket first = 0;
  first = waits.Enter(0, [&] { waits.Leave(0, first); });
  waits.Enter(0, [] {});
}

TEST(SharesTest, EachCallerHasItsOwn) {
  Shares shares(2, 2);
  EXPECT_TRUE(shares.Enter(0));
  EXPECT_TRUE(shares.Enter(0));
  EXPECT_FALSE(shares.Enter(0));
  EXPECT_FALSE(shares.Enter(0)) << "who is refused takes no place";
  EXPECT_TRUE(shares.Enter(1));
  shares.Leave(0);
  EXPECT_TRUE(shares.Enter(0));
  EXPECT_FALSE(shares.Enter(0));
}

}  // namespace
}  // namespace gatehouse::frontend
