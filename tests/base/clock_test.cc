#include "server/base/clock.h"

#include <gtest/gtest.h>

#include <thread>

#include "absl/time/clock.h"
#include "tests/support/fake_clock.h"

namespace gatehouse {
namespace {

TEST(SystemClock, TellsTheMachinesTime) {
  const absl::Time before = absl::Now();
  const absl::Time now = SystemClock().Now();
  const absl::Time after = absl::Now();
  EXPECT_GE(now, before);
  EXPECT_LE(now, after);
}

TEST(SystemClock, SteadyTimeNeverGoesBackAndMoves) {
  const int64_t start = SystemClock().SteadyNanos();
  int64_t last = start;
  while (last == start) {
    const int64_t now = SystemClock().SteadyNanos();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(SystemClock, IsOneForTheWholeProgram) { EXPECT_EQ(&SystemClock(), &SystemClock()); }

TEST(FakeClock, MovesBothClocksOrTheWallAlone) {
  FakeClock clock(absl::UnixEpoch());
  clock.Advance(absl::Seconds(2));
  EXPECT_EQ(clock.Now(), absl::FromUnixSeconds(2));
  EXPECT_EQ(clock.SteadyNanos(), 2'000'000'000);
  clock.SetWall(absl::UnixEpoch());
  EXPECT_EQ(clock.Now(), absl::UnixEpoch());
  EXPECT_EQ(clock.SteadyNanos(), 2'000'000'000);
}

TEST(SystemClock, AWaitForATimeThatHasComeOrThatNeverComesEnds) {
  Mutex mu;
  CondVar changed;
  bool notified = false;
  std::thread notifier;
  {
    MutexLock lock(mu);
    SystemClock().WaitUntil(mu, changed, SystemClock().SteadyNanos());
    notifier = std::thread([&] {
      MutexLock inner(mu);
      notified = true;
      changed.NotifyAll();
    });
    while (!notified) SystemClock().WaitUntil(mu, changed, INT64_MAX);
  }
  notifier.join();
}

TEST(FakeClock, WakesThoseWhoWaitForItsTime) {
  FakeClock clock(absl::UnixEpoch());
  Mutex mu;
  CondVar changed;
  std::thread waiter([&] {
    MutexLock lock(mu);
    while (clock.SteadyNanos() < 2'000'000'000) clock.WaitUntil(mu, changed, 2'000'000'000);
  });
  clock.AwaitIdle();
  clock.SetWall(absl::InfiniteFuture());
  clock.Advance(absl::Seconds(1));
  clock.AwaitIdle();
  clock.Advance(absl::Seconds(1));
  waiter.join();
}

}  // namespace
}  // namespace gatehouse
