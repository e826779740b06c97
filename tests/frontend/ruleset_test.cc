#include "server/frontend/ruleset.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "server/revocation/index.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_key_source.h"

namespace gatehouse::frontend {
namespace {

// Notes which thread ends it.
class EndingSource final : public keys::KeySource {
 public:
  explicit EndingSource(std::optional<std::thread::id>& ended_on) : ended_on_(ended_on) {}
  ~EndingSource() override { ended_on_ = std::this_thread::get_id(); }

  std::shared_ptr<const jose::KeySet> Current() const override { return nullptr; }
  Ticket AwaitFetch(Waiter /*waiter*/) override { return kNone; }
  void Forget(Ticket /*ticket*/) override {}
  void Suspect() override {}
  keys::KeySourceState State() const override { return {}; }

 private:
  std::optional<std::thread::id>& ended_on_;
};

class RulesetTest : public ::testing::Test {
 protected:
  std::shared_ptr<const Ruleset> Rules(std::shared_ptr<keys::KeySource> keys = nullptr) {
    std::vector<engine::TrustedIssuer> issuers(1);
    issuers[0].rules.issuer = "https://issuer.example";
    issuers[0].keys = std::move(keys);
    const auto authorizer = std::make_shared<engine::Authorizer>(
        std::move(issuers), index_, clock_,
        engine::Authorizer::Options{.cache_bytes = 1 << 16, .render = {}});
    return std::make_shared<const Ruleset>(
        Ruleset{.callers = *CallerTable::Load({}),
                .authorizer = authorizer,
                .policy = std::make_shared<const policy::Policy>(policy::Policy::Default(1)),
                .revoker = engine::Revoker(*authorizer, absl::Hours(1), clock_)});
  }

  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  revocation::RevocationIndex index_;
};

TEST_F(RulesetTest, AReaderGivesTheOneInForceFromTheNextLookOn) {
  const auto first = Rules();
  const auto second = Rules();
  Rulesets rulesets(first);
  Rulesets::Reader reader(rulesets);
  EXPECT_EQ(reader.Current().get(), first.get());
  EXPECT_EQ(reader.Current().get(), first.get());
  rulesets.Replace(second);
  EXPECT_EQ(reader.Current().get(), second.get());
  EXPECT_EQ(rulesets.Current(), second);
}

TEST_F(RulesetTest, WhatWasTakenBeforeStaysUntilItIsLetGo) {
  Rulesets rulesets(Rules());
  Rulesets::Reader reader(rulesets);
  std::shared_ptr<const Ruleset> call = reader.Current();
  const std::weak_ptr<const engine::Authorizer> old = call->authorizer;
  rulesets.Replace(Rules());
  reader.Current();
  EXPECT_EQ(rulesets.FreeRetired(), 1U);
  EXPECT_FALSE(old.expired());
  call.reset();
  EXPECT_FALSE(old.expired());  // not by whoever held it last
  EXPECT_EQ(rulesets.FreeRetired(), 0U);
  EXPECT_TRUE(old.expired());
}

TEST_F(RulesetTest, AThreadThatHasNotLookedSinceKeepsWhatItSawLast) {
  Rulesets rulesets(Rules());
  Rulesets::Reader idle(rulesets);
  idle.Current();
  for (int i = 0; i < 3; ++i) rulesets.Replace(Rules());
  EXPECT_EQ(rulesets.FreeRetired(), 1U);
  idle.Current();
  EXPECT_EQ(rulesets.FreeRetired(), 0U);
}

TEST_F(RulesetTest, KeySourcesEndOnTheThreadThatFrees) {
  std::optional<std::thread::id> ended_on;
  Rulesets rulesets(Rules(std::make_shared<EndingSource>(ended_on)));
  Rulesets::Reader reader(rulesets);
  auto call = std::make_shared<std::shared_ptr<const Ruleset>>(reader.Current());
  rulesets.Replace(Rules());
  reader.Current();
  std::thread([call = std::move(call)] { call->reset(); }).join();
  EXPECT_FALSE(ended_on.has_value());
  EXPECT_EQ(rulesets.FreeRetired(), 0U);
  EXPECT_EQ(ended_on, std::this_thread::get_id());
}

TEST_F(RulesetTest, AKeySourceThatTheNextOneHasTooGoesOn) {
  std::optional<std::thread::id> ended_on;
  auto keys = std::make_shared<EndingSource>(ended_on);
  Rulesets rulesets(Rules(keys));
  rulesets.Replace(Rules(std::move(keys)));
  EXPECT_EQ(rulesets.FreeRetired(), 0U);
  EXPECT_FALSE(ended_on.has_value());
}

TEST_F(RulesetTest, ReadersOnManyThreadsNeverGoBack) {
  std::vector<std::shared_ptr<const Ruleset>> all;
  all.reserve(50);
  for (int i = 0; i < 50; ++i) all.push_back(Rules());
  Rulesets rulesets(all[0]);
  std::vector<std::thread> threads;
  std::atomic<int> at_end = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      Rulesets::Reader reader(rulesets);
      size_t seen = 0;
      while (seen + 1 < all.size()) {
        const std::shared_ptr<const Ruleset> call = reader.Current();
        while (seen < all.size() && all[seen].get() != call.get()) ++seen;
        ASSERT_LT(seen, all.size());
      }
      ++at_end;
    });
  }
  for (size_t i = 1; i < all.size(); ++i) rulesets.Replace(all[i]);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(at_end, 4);
}

}  // namespace
}  // namespace gatehouse::frontend
