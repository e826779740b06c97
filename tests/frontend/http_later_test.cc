#include "server/frontend/http_later.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/fake_key_source.h"

namespace gatehouse::frontend {
namespace {

using engine::Effort;
using engine::Examination;
using engine::KeyNews;
using Turn = HttpLater::Turn;

// A port's thread, which runs when the test says.
class FakeLoop final : public HttpLoop {
 public:
  void Post(std::function<void()> work) override { posted_.push_back(std::move(work)); }
  void After(absl::Duration /*delay*/, std::function<void()> work) override {
    timers_.push_back(std::move(work));
  }

  void Run() {
    while (!posted_.empty()) {
      const auto work = std::move(posted_.front());
      posted_.pop_front();
      work();
    }
  }
  // As when the port's thread has ended: its work may hold the loop itself.
  void Drop() {
    posted_.clear();
    timers_.clear();
  }
  void RunTimers() {
    for (const auto& work : std::exchange(timers_, {})) work();
    Run();
  }

 private:
  std::list<std::function<void()>> posted_;
  std::vector<std::function<void()>> timers_;
};

class HttpLaterTest : public ::testing::Test {
 protected:
  void TearDown() override {
    later_.reset();
    loop_->Drop();
  }
  void PutOff(const Examination& examined, const Turn& turn = {}, size_t caller = 0) {
    later_->PutOff(examined, turn,
                   {.caller = caller, .until_nanos = clock_.SteadyNanos() + 100'000'000}, loop_,
                   [this](const Turn& next) { turns_.push_back(next); });
  }
  static Examination Of(Examination::Kind kind) {
    Examination examined;
    examined.kind = kind;
    return examined;
  }
  static Examination Unknown() { return Of(Examination::Kind::kUnknown); }
  Examination NeedsKeys() {
    Examination examined = Of(Examination::Kind::kNeedsKeys);
    examined.wait_for = &source_;
    return examined;
  }

  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  FakeKeySource source_;
  ThreadMetrics metrics_;
  HttpWaits waits_;
  std::shared_ptr<FakeLoop> loop_ = std::make_shared<FakeLoop>();
  std::unique_ptr<HttpLater> later_ = std::make_unique<HttpLater>(waits_, metrics_, clock_);
  std::vector<Turn> turns_;
};

TEST_F(HttpLaterTest, AnUnknownTokenIsVerifiedWhenItsTurnComes) {
  PutOff(Unknown());
  EXPECT_TRUE(turns_.empty());
  loop_->Run();
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_EQ(turns_[0].effort, Effort::kFull);
  EXPECT_FALSE(turns_[0].hopeless);
}

TEST_F(HttpLaterTest, OneThatWasLookedAtInFullIsNotPutOffAgain) {
  PutOff(Unknown(), {.effort = Effort::kFull});
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_TRUE(turns_[0].hopeless);
}

TEST_F(HttpLaterTest, ACallerHasItsShareAndOthersTheirs) {
  for (int i = 0; i < 256; ++i) PutOff(Unknown());
  EXPECT_TRUE(turns_.empty());
  PutOff(Unknown());
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_TRUE(turns_[0].hopeless);
  PutOff(Unknown(), {}, 1);
  EXPECT_EQ(turns_.size(), 1U);
  loop_->Run();
  EXPECT_EQ(turns_.size(), 258U);
}

TEST_F(HttpLaterTest, ATurnThatComesTooLateIsHopeless) {
  PutOff(Unknown());
  clock_.Advance(absl::Milliseconds(100));
  loop_->Run();
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_TRUE(turns_[0].hopeless);
}

TEST_F(HttpLaterTest, WhatCameOfAFetchIsTold) {
  using Fetched = keys::KeySource::Fetched;
  const std::vector<std::pair<Fetched, KeyNews>> cases = {
      {Fetched::kSucceeded, KeyNews::kFetched},
      {Fetched::kFailed, KeyNews::kFailed},
      {Fetched::kLookAgain, KeyNews::kNone},
  };
  for (const auto& [fetched, news] : cases) {
    turns_.clear();
    PutOff(NeedsKeys());
    EXPECT_EQ(source_.waiting(), 1U);
    source_.Answer(fetched);
    EXPECT_TRUE(turns_.empty()) << "not on the source's thread";
    loop_->Run();
    ASSERT_EQ(turns_.size(), 1U);
    EXPECT_EQ(turns_[0].news, news);
    EXPECT_EQ(turns_[0].effort, Effort::kKnownOnly);
    EXPECT_FALSE(turns_[0].hopeless);
    loop_->RunTimers();
    EXPECT_EQ(turns_.size(), 1U) << "once";
  }
}

TEST_F(HttpLaterTest, WhenTheTimeIsUpItIsHopelessAndThePlaceGivenBack) {
  PutOff(NeedsKeys());
  loop_->RunTimers();
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_TRUE(turns_[0].hopeless);
  EXPECT_EQ(source_.waiting(), 0U);
}

TEST_F(HttpLaterTest, WhenTooManyWaitTheOldestOfWhoHasMostGivesUp) {
  for (int i = 0; i < 512; ++i) PutOff(NeedsKeys());
  PutOff(NeedsKeys(), {}, 1);
  loop_->Run();
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_TRUE(turns_[0].hopeless);
  EXPECT_EQ(source_.waiting(), 512U);
}

TEST_F(HttpLaterTest, WhatCannotBeHelpedIsSaidAtOnce) {
  PutOff(Of(Examination::Kind::kUnavailable));
  ASSERT_EQ(turns_.size(), 1U);
  EXPECT_TRUE(turns_[0].hopeless);
}

TEST_F(HttpLaterTest, ItsEndGivesEveryPlaceBack) {
  PutOff(NeedsKeys());
  PutOff(Unknown());
  later_.reset();
  EXPECT_EQ(source_.waiting(), 0U);
  EXPECT_TRUE(turns_.empty());
}

}  // namespace
}  // namespace gatehouse::frontend
