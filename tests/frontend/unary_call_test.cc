#include "server/frontend/unary_call.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace gatehouse::frontend {
namespace {

// When a call is given up, in milliseconds after now.
int64_t MillisToGivingUp(int64_t millis_given) {
  const gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
  const gpr_timespec given = gpr_time_from_millis(millis_given, GPR_TIMESPAN);
  return UnaryCall::NanosToGivingUp(gpr_time_add(now, given), now) / 1'000'000;
}

TEST(UnaryCallTest, IsGivenUpAfterHalfOfTheTimeAndAfter100MillisecondsAtMost) {
  EXPECT_EQ(MillisToGivingUp(2), 1);
  EXPECT_EQ(MillisToGivingUp(50), 25);
  EXPECT_EQ(MillisToGivingUp(198), 99);
  EXPECT_EQ(MillisToGivingUp(200), 100);
  EXPECT_EQ(MillisToGivingUp(202), 100);
  EXPECT_EQ(MillisToGivingUp(20'000), 100);
  EXPECT_LE(MillisToGivingUp(0), 0);
  EXPECT_LT(MillisToGivingUp(-1000), 0) << "one that has passed";
  for (const gpr_clock_type clock : {GPR_CLOCK_MONOTONIC, GPR_CLOCK_REALTIME}) {
    EXPECT_EQ(UnaryCall::NanosToGivingUp(gpr_inf_future(clock), gpr_now(clock)), 100'000'000)
        << "without a deadline";
  }
}

}  // namespace
}  // namespace gatehouse::frontend
