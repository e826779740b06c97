#include "server/frontend/denial_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/frontend/decided.h"
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

TEST(DenialLogTest, WhatThePolicyDeniesIsOneReasonAndSaysWhich) {
  FakeClock clock(absl::UnixEpoch());
  DenialLog denials(clock);
  const AdasToken ada;
  const policy::Policy policy = TaskPolicy();
  const policy::Question unknown{.resource = "note/1", .action = "read"};
  const policy::Question locked{.resource = "task/1", .action = "read"};
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 50; ++i) {
    const DenialLog::ByPolicy denial{.policy = policy, .question = i == 0 ? unknown : locked};
    denials.Write("Authorize", "api", "0123", ada.examined(), &denial);
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), DenialLog::kPerSecond);
  EXPECT_THAT(log, ::testing::HasSubstr("code=\"INSUFFICIENT_PERMISSIONS\" "
                                        "reason=\"the policy has no such resource type\""));
  EXPECT_THAT(log, ::testing::HasSubstr("reason=\"a rule denies it\""));
}

}  // namespace
}  // namespace gatehouse::frontend
