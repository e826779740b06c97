#include "server/frontend/shadow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/frontend/decided.h"
#include "tests/support/fake_clock.h"

namespace gatehouse::frontend {
namespace {

using ::testing::HasSubstr;

class ShadowTest : public ::testing::Test {
 protected:
  ShadowTest() { who_.roles = {"support"}; }

  ShadowOutcome Try(Shadow& shadow, const policy::Policy& in_force) const {
    const policy::Question question{
        .resource = "task/1", .owner = "bob", .action = "read", .attributes = attributes_};
    return shadow.Try(in_force, who_, question, in_force.Decide(who_, question), "0123");
  }

  FakeClock clock_{absl::UnixEpoch()};
  const AdasToken ada_;
  policy::Principal who_ = ada_.principal();
  const std::vector<std::pair<absl::string_view, absl::string_view>> attributes_ = {
      {"locked", "no"}};
  const policy::Policy with_ = TaskPolicy(true);
  const policy::Policy without_ = TaskPolicy(false);
};

TEST_F(ShadowTest, SaysWhatItWouldHaveDone) {
  Shadow looser(TaskPolicy(true), 100, clock_);
  Shadow stricter(TaskPolicy(false), 100, clock_);
  EXPECT_EQ(Try(looser, with_), ShadowOutcome::kSame);
  EXPECT_EQ(Try(stricter, without_), ShadowOutcome::kSame);
  EXPECT_EQ(Try(looser, without_), ShadowOutcome::kWouldAllow);
  EXPECT_EQ(Try(stricter, with_), ShadowOutcome::kWouldDeny);
}

TEST_F(ShadowTest, DifferencesAreLoggedWithBothRulesAtALimitedRate) {
  Shadow stricter(TaskPolicy(false), 100, clock_);
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 100; ++i) Try(stricter, with_);
  clock_.Advance(absl::Seconds(1));
  Try(stricter, with_);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), DenialLog::kPerSecond + 1);
  EXPECT_THAT(log, HasSubstr("resource=\"task/1\" action=\"read\" subject=\"ada\" "
                             "issuer=\"https://issuer.example\" verdict=\"allow\" "
                             "rule=\"allow[1] role:support\" shadow_verdict=\"deny\" "
                             "shadow_rule=\"no rule allows it\" decision=\"0123\""));
  EXPECT_THAT(log, HasSubstr("left_out=\"95\""));
}

TEST_F(ShadowTest, PicksAShareOfTheCalls) {
  const auto picked = [&](int percent) {
    const Shadow shadow(TaskPolicy(), percent, clock_);
    int count = 0;
    for (int i = 0; i < 20'000; ++i) count += shadow.PicksCall() ? 1 : 0;
    return count;
  };
  EXPECT_EQ(picked(100), 20'000);
  // Twenty standard deviations.
  EXPECT_NEAR(picked(10), 2'000, 849);
}

}  // namespace
}  // namespace gatehouse::frontend
