#include "server/keys/refresh_schedule.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/fake_clock.h"

namespace gatehouse::keys {
namespace {

class RefreshScheduleTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kSeed = 7;

  int64_t Now() const { return clock_.SteadyNanos(); }
  absl::Duration Wait(bool somebody_waits = false) const {
    return absl::Nanoseconds(schedule_.NextFetch(somebody_waits) - Now());
  }
  void Begin(bool somebody_waits = false) { schedule_.Began(Now(), somebody_waits); }

  FakeClock clock_{absl::UnixEpoch()};
  RefreshSchedule schedule_{{.cooldown = absl::Seconds(2),
                             .retry_after = absl::Milliseconds(250),
                             .retry_at_most = absl::Seconds(15)},
                            kSeed};
};

TEST_F(RefreshScheduleTest, TheFirstFetchIsDueAtOnce) {
  EXPECT_LE(Wait(), absl::ZeroDuration());
  EXPECT_LE(Wait(true), absl::ZeroDuration());
}

TEST_F(RefreshScheduleTest, TheNextRefreshIsAheadOfTheEndAndCountsFromTheStartOfTheGoodOne) {
  std::set<absl::Duration> waits;
  for (int i = 0; i < 20; ++i) {
    Begin();
    clock_.Advance(absl::Seconds(3));
    schedule_.Succeeded(absl::Seconds(100));
    EXPECT_GE(Wait(), absl::Seconds(80 - 3));
    EXPECT_LE(Wait(), absl::Seconds(90 - 3));
    waits.insert(Wait());
  }
  EXPECT_GT(waits.size(), 10U);
}

TEST_F(RefreshScheduleTest, AWaiterIsServedAtOnceIfNobodyWaitedLately) {
  Begin(false);
  schedule_.Succeeded(absl::Minutes(5));
  EXPECT_LE(Wait(true), absl::ZeroDuration());
}

TEST_F(RefreshScheduleTest, ASuspectedSetIsFetchedThirtySecondsAfterTheLastFetchBegan) {
  Begin();
  schedule_.Succeeded(absl::Minutes(5));
  clock_.Advance(absl::Seconds(10));
  EXPECT_TRUE(schedule_.Suspect());
  EXPECT_FALSE(schedule_.Suspect()) << "no news";
  EXPECT_EQ(Wait(), absl::Seconds(20));
  clock_.Advance(absl::Seconds(20));
  Begin();
  schedule_.Succeeded(absl::Minutes(5));
  EXPECT_GE(Wait(), absl::Minutes(4));
  clock_.Advance(absl::Seconds(31));
  EXPECT_TRUE(schedule_.Suspect());
  EXPECT_LE(Wait(), absl::ZeroDuration());
}

TEST_F(RefreshScheduleTest, SuspicionDoesNotPutOffAFetchThatIsDueEarlier) {
  Begin();
  schedule_.Failed(Now());
  schedule_.Suspect();
  EXPECT_LE(Wait(), absl::Milliseconds(250));
}

TEST_F(RefreshScheduleTest, ThoseWhoWereSentBackHaveTimeToComeAgain) {
  Begin(true);
  schedule_.Succeeded(absl::Minutes(5));
  clock_.Advance(absl::Seconds(5));
  schedule_.SentBack(Now());
  EXPECT_EQ(Wait(true), absl::Milliseconds(100));
  Begin(true);
  schedule_.SentBack(Now());
  EXPECT_EQ(Wait(true), absl::Seconds(2)) << "the cooldown is longer";
}

TEST_F(RefreshScheduleTest, WaitersFetchesAreACooldownApart) {
  Begin(false);
  schedule_.Succeeded(absl::Minutes(5));
  Begin(true);
  clock_.Advance(absl::Milliseconds(500));
  schedule_.Succeeded(absl::Minutes(5));
  EXPECT_EQ(Wait(true), absl::Milliseconds(1500));
  clock_.Advance(absl::Milliseconds(1500));
  EXPECT_EQ(Wait(true), absl::ZeroDuration());
  EXPECT_GT(Wait(false), absl::Minutes(3));
}

TEST_F(RefreshScheduleTest, AWaiterNeverPutsAFetchOff) {
  Begin(true);
  schedule_.Failed(Now());
  EXPECT_EQ(Wait(true), Wait(false));
  EXPECT_LE(Wait(true), absl::Milliseconds(250));
}

TEST_F(RefreshScheduleTest, RetriesBackOffTwofoldUpToTheMostWithAQuarterOfJitter) {
  absl::Duration expected = absl::Milliseconds(250);
  for (int i = 0; i < 20; ++i) {
    Begin();
    schedule_.Failed(Now());
    EXPECT_LE(Wait(), expected);
    EXPECT_GE(Wait(), expected * 3 / 4);
    clock_.Advance(Wait());
    expected = std::min(expected * 2, absl::Seconds(15));
  }
  EXPECT_EQ(expected, absl::Seconds(15));
}

TEST_F(RefreshScheduleTest, RetriesCountFromTheEndOfTheFailure) {
  Begin();
  clock_.Advance(absl::Seconds(5));
  schedule_.Failed(Now());
  EXPECT_GT(Wait(), absl::ZeroDuration());
}

TEST_F(RefreshScheduleTest, JitterDiffers) {
  std::set<absl::Duration> waits;
  for (uint32_t seed = 1; seed < 20; ++seed) {
    RefreshSchedule schedule({.cooldown = absl::Seconds(2),
                              .retry_after = absl::Seconds(10),
                              .retry_at_most = absl::Seconds(15)},
                             seed);
    schedule.Failed(0);
    waits.insert(absl::Nanoseconds(schedule.NextFetch(false)));
  }
  EXPECT_GT(waits.size(), 10U);
}

TEST_F(RefreshScheduleTest, ASuccessEndsTheBackOff) {
  for (int i = 0; i < 10; ++i) {
    Begin();
    schedule_.Failed(Now());
  }
  Begin();
  schedule_.Succeeded(absl::Minutes(5));
  Begin();
  schedule_.Failed(Now());
  EXPECT_LE(Wait(), absl::Milliseconds(250));
}

TEST_F(RefreshScheduleTest, TheFirstRetryIsNeverLaterThanTheMost) {
  RefreshSchedule schedule({.cooldown = absl::Seconds(2),
                            .retry_after = absl::Seconds(60),
                            .retry_at_most = absl::Seconds(15)},
                           kSeed);
  schedule.Failed(0);
  EXPECT_LE(absl::Nanoseconds(schedule.NextFetch(false)), absl::Seconds(15));
}

}  // namespace
}  // namespace gatehouse::keys
