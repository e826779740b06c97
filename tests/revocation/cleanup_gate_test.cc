#include "server/revocation/cleanup_gate.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace gatehouse::revocation {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);
constexpr absl::Duration kTick = absl::Nanoseconds(1);
constexpr absl::Duration kMost = CleanupGate::kTolerance;
constexpr absl::Duration kSettled = CleanupGate::kSettled;
constexpr absl::Duration kYear = absl::Hours(24 * 365);

class CleanupGateTest : public testing::Test {
 protected:
  // The wall clock is believed.
  void Believe() {
    clock_.Advance(kSettled);
    ASSERT_EQ(gate_.Until(true), clock_.Now());
  }
  void SetAhead(absl::Duration by) { clock_.SetWall(clock_.Now() + by); }

  FakeClock clock_{kStart};
  CleanupGate gate_{clock_};
};

TEST_F(CleanupGateTest, NothingEndsBeforeTheClockHasBeenSettledForAnHour) {
  EXPECT_EQ(gate_.Until(true), std::nullopt);
  clock_.Advance(kSettled - kTick);
  EXPECT_EQ(gate_.Until(true), std::nullopt);
  clock_.Advance(kTick);
  EXPECT_EQ(gate_.Until(true), kStart + kSettled);
}

TEST_F(CleanupGateTest, NothingEndsBeforeAGoodTokenWasSeen) {
  clock_.Advance(kYear);
  EXPECT_EQ(gate_.Until(false), std::nullopt);
  EXPECT_EQ(gate_.Until(true), kStart + kYear);
  clock_.Advance(kTick);
  EXPECT_EQ(gate_.Until(false), kStart + kYear + kTick);
}

TEST_F(CleanupGateTest, AGoodTokenOfTheSettledTimeIsEnough) {
  EXPECT_EQ(gate_.Until(true), std::nullopt);
  clock_.Advance(kSettled);
  EXPECT_EQ(gate_.Until(false), kStart + kSettled);
}

TEST_F(CleanupGateTest, AClockThatIsSetByMoreThanFiveMinutesSettlesAnew) {
  for (const int direction : {1, -1}) {
    FakeClock clock(kStart);
    CleanupGate gate(clock);
    clock.Advance(kSettled - absl::Minutes(1));
    clock.SetWall(clock.Now() + direction * (kMost + kTick));
    // The token may be one of before.
    EXPECT_EQ(gate.Until(true), std::nullopt);
    clock.Advance(kSettled - kTick);
    EXPECT_EQ(gate.Until(false), std::nullopt);
    clock.Advance(kTick);
    EXPECT_EQ(gate.Until(false), std::nullopt);
    EXPECT_EQ(gate.Until(true), clock.Now());
  }
}

TEST_F(CleanupGateTest, OfClocksThatPartByLessTheLowerOneCounts) {
  EXPECT_EQ(gate_.Until(true), std::nullopt);
  SetAhead(kMost);
  clock_.Advance(kSettled);
  EXPECT_EQ(gate_.Until(true), kStart + kSettled);
  SetAhead(-kMost - kMost);
  EXPECT_EQ(gate_.Until(true), kStart + kSettled - kMost);
}

// Small steps do not carry it along.
TEST_F(CleanupGateTest, AClockThatCreepsAheadSettlesAnew) {
  EXPECT_EQ(gate_.Until(true), std::nullopt);
  for (int minutes = 10; minutes <= 50; minutes += 10) {
    clock_.Advance(absl::Minutes(10));
    SetAhead(absl::Minutes(2));
    EXPECT_EQ(gate_.Until(true), std::nullopt);
  }
  clock_.Advance(absl::Minutes(10));
  EXPECT_EQ(gate_.Until(true), std::nullopt);
}

TEST_F(CleanupGateTest, AClockSetAheadEndsNothingSoonerHoweverLongItStaysSo) {
  Believe();
  for (const absl::Duration ahead : {kTick, kMost, kMost + kTick, absl::Hours(1), kYear}) {
    const absl::Time right = clock_.Now();
    SetAhead(ahead);
    EXPECT_EQ(gate_.Until(true), right);
    for (int hours = 1; hours <= 50; ++hours) {
      clock_.Advance(absl::Hours(1));
      // As an issuer on the same machine has them.
      EXPECT_EQ(gate_.Until(true), right + absl::Hours(hours));
    }
    SetAhead(-ahead);
    EXPECT_EQ(gate_.Until(true), right + absl::Hours(50));
  }
}

TEST_F(CleanupGateTest, AClockSetBackEndsFactsByItsOwnTimeAndOnceItIsRightAgainByThat) {
  Believe();
  SetAhead(-absl::Hours(1));
  EXPECT_EQ(gate_.Until(false), kStart + kSettled - absl::Hours(1));
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(gate_.Until(false), clock_.Now());
  SetAhead(absl::Hours(1));
  EXPECT_EQ(gate_.Until(false), kStart + kSettled + absl::Minutes(1));
}

// The monotonic clock stands still meanwhile: to the gate, a wall clock that was set ahead.
TEST_F(CleanupGateTest, AfterASleepFactsEndLaterByItsLengthButEnd) {
  Believe();
  SetAhead(absl::Hours(8));
  clock_.Advance(absl::Hours(10));
  EXPECT_EQ(gate_.Until(false), clock_.Now() - absl::Hours(8));
}

TEST_F(CleanupGateTest, AClockThatWasAYearAheadAtTheStartAndIsSetBackIsNotBelievedBeforeThat) {
  FakeClock clock(kStart + kYear);
  CleanupGate gate(clock);
  clock.Advance(kSettled - kTick);
  EXPECT_EQ(gate.Until(true), std::nullopt);
  clock.SetWall(kStart);
  clock.Advance(kSettled);
  EXPECT_EQ(gate.Until(true), std::nullopt);
  clock.Advance(kSettled);
  EXPECT_EQ(gate.Until(true), kStart + 2 * kSettled);
}

}  // namespace
}  // namespace gatehouse::revocation
