#include "server/revocation/cleanup_gate.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace gatehouse::revocation {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);
constexpr absl::Duration kTick = absl::Nanoseconds(1);

TEST(CleanupGate, IsClosedUntilAGoodTokenWasSeen) {
  FakeClock clock(kStart);
  const CleanupGate gate(clock);
  EXPECT_EQ(gate.Until(false), std::nullopt);
  EXPECT_EQ(gate.Until(true), kStart);
  clock.Advance(absl::Hours(24 * 365));
  EXPECT_EQ(gate.Until(false), std::nullopt);
  EXPECT_EQ(gate.Until(true), kStart + absl::Hours(24 * 365));
}

TEST(CleanupGate, IsClosedWhileTheClocksHavePartedByMoreThanFiveMinutesSinceTheStart) {
  for (const int direction : {1, -1}) {
    FakeClock clock(kStart);
    const CleanupGate gate(clock);
    clock.Advance(absl::Hours(10));
    const absl::Time right = clock.Now();
    const absl::Duration most = direction * absl::Minutes(5);
    clock.SetWall(right + most);
    EXPECT_EQ(gate.Until(true), right + most);
    clock.SetWall(right + most + direction * kTick);
    EXPECT_EQ(gate.Until(true), std::nullopt);
    clock.Advance(absl::Hours(1));
    EXPECT_EQ(gate.Until(true), std::nullopt);
    clock.SetWall(right + absl::Hours(1));
    EXPECT_EQ(gate.Until(true), right + absl::Hours(1));
  }
}

TEST(CleanupGate, AClockThatWasAYearAheadAtTheStartAndIsSetBackKeepsItClosed) {
  FakeClock clock(kStart + absl::Hours(24 * 365));
  const CleanupGate gate(clock);
  EXPECT_EQ(gate.Until(false), std::nullopt);
  clock.SetWall(kStart);
  EXPECT_EQ(gate.Until(true), std::nullopt);
}

}  // namespace
}  // namespace gatehouse::revocation
