#include "server/frontend/fair_waits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "server/frontend/shares.h"

namespace gatehouse::frontend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const int kIssuer = 0;
const int kOther = 0;

FairWaits::Group Of(size_t caller, const void* source = &kIssuer) { return {caller, source}; }

TEST(FairWaitsTest, OneAloneMayHaveAllPlacesAndThenItsOldestGivesUp) {
  FairWaits waits(2);
  std::vector<int> gave_up;
  for (int i = 0; i < 4; ++i) waits.Enter(Of(0), [&, i] { gave_up.push_back(i); });
  EXPECT_THAT(gave_up, ElementsAre(0, 1));
}

TEST(FairWaitsTest, WhoHasMostMakesRoomForOthersUntilAllHaveTheSame) {
  FairWaits waits(4);
  std::vector<int> gave_up;
  for (int i = 0; i < 4; ++i) waits.Enter(Of(0), [&, i] { gave_up.push_back(i); });
  for (int i = 10; i < 14; ++i) waits.Enter(Of(1), [&, i] { gave_up.push_back(i); });
  EXPECT_THAT(gave_up, ElementsAre(0, 1, 10, 11)) << "among equals it is the newcomer's own";
}

TEST(FairWaitsTest, AFloodMovesNoOtherCallerAndNoOtherIssuersTokens) {
  FairWaits waits(4);
  int moved = 0;
  waits.Enter(Of(1), [&] { ++moved; });
  waits.Enter(Of(0, &kOther), [&] { ++moved; });
  for (int i = 0; i < 100; ++i) waits.Enter(Of(0), [] {});
  EXPECT_EQ(moved, 0);
}

TEST(FairWaitsTest, WhoLeavesMakesRoomAndIsNotCalled) {
  FairWaits waits(2);
  std::vector<int> gave_up;
  const auto first = waits.Enter(Of(0), [&] { gave_up.push_back(0); });
  waits.Enter(Of(0), [&] { gave_up.push_back(1); });
  waits.Leave(Of(0), first);
  waits.Leave(Of(0), first);  // again: nothing
  waits.Enter(Of(0), [&] { gave_up.push_back(2); });
  EXPECT_THAT(gave_up, IsEmpty());
  waits.Enter(Of(0), [&] { gave_up.push_back(3); });
  EXPECT_THAT(gave_up, ElementsAre(1));
}

TEST(FairWaitsTest, WhoGivesUpMayLeaveAtOnce) {
  FairWaits waits(1);
  FairWaits::Ticket first = 0;
  bool told = false;
  first = waits.Enter(Of(0), [&] {
    waits.Leave(Of(0), first);
    told = true;
  });
  waits.Enter(Of(1), [] {});
  EXPECT_TRUE(told);
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
