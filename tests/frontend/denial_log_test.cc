#include "server/frontend/denial_log.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/fake_clock.h"

namespace gatehouse::frontend {
namespace {

TEST(DenialLogTest, AFloodOfOneReasonIsCutAndCounted) {
  FakeClock clock(absl::UnixEpoch());
  DenialLog denials(clock);
  int64_t left_out = 0;
  int written = 0;
  for (int i = 0; i < 1000; ++i) written += denials.Admit("bad signature", left_out) ? 1 : 0;
  EXPECT_EQ(written, DenialLog::kPerSecond);
  EXPECT_TRUE(denials.Admit("another reason", left_out)) << "one flood hides no other reason";
  EXPECT_EQ(left_out, 0);
  clock.Advance(absl::Seconds(1));
  EXPECT_TRUE(denials.Admit("bad signature", left_out));
  EXPECT_EQ(left_out, 1000 - DenialLog::kPerSecond);
}

TEST(DenialLogTest, ManyReasonsTakeBoundedMemoryAndShareOneLimit) {
  FakeClock clock(absl::UnixEpoch());
  DenialLog denials(clock);
  int64_t left_out = 0;
  int written = 0;
  for (int i = 0; i < 10'000; ++i) {
    written += denials.Admit("reason " + std::to_string(i), left_out) ? 1 : 0;
  }
  EXPECT_LE(written, static_cast<int>(DenialLog::kMaxReasons) + DenialLog::kPerSecond);
}

}  // namespace
}  // namespace gatehouse::frontend
