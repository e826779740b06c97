#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "server/keys/jwks_url.h"
#include "tests/keys/jwks_server.h"
#include "tests/support/fake_clock.h"
#include "tests/support/token_maker.h"

namespace gatehouse::keys {

// Counts the answers that waiters get.
class Answers {
 public:
  KeySource::Waiter Waiter() {
    return [this](KeySource::Fetched fetched) {
      // Told under the lock: who waits may destroy this object right after.
      MutexLock lock(mu_);
      ++(fetched == KeySource::Fetched::kSucceeded   ? succeeded_
         : fetched == KeySource::Fetched::kLookAgain ? sent_back_
                                                     : failed_);
      changed_.NotifyAll();
    };
  }
  void WaitFor(int count) {
    MutexLock lock(mu_);
    while (succeeded_ + failed_ + sent_back_ < count) changed_.Wait(mu_);
  }
  int succeeded() const {
    MutexLock lock(mu_);
    return succeeded_;
  }
  int failed() const {
    MutexLock lock(mu_);
    return failed_;
  }
  int sent_back() const {
    MutexLock lock(mu_);
    return sent_back_;
  }

 private:
  mutable Mutex mu_;
  CondVar changed_;
  int succeeded_ GH_GUARDED_BY(mu_) = 0;
  int failed_ GH_GUARDED_BY(mu_) = 0;
  int sent_back_ GH_GUARDED_BY(mu_) = 0;
};

// Sources whose every fetch a test brings about by moving the clock, and a folder.
class SourceTest : public ::testing::Test {
 protected:
  using Algorithm = jose::Algorithm;

  SourceTest() : folder_(::testing::TempDir() + "gatehouse_source_XXXXXX") {
    if (mkdtemp(folder_.data()) == nullptr) std::abort();
  }
  ~SourceTest() override { std::filesystem::remove_all(folder_); }

  JwksUrlOptions OptionsFor(const JwksServer& server) const {
    return {.issuer = "me", .url = server.Url(), .algorithms = {Algorithm::kEdDsa}};
  }
  // With its first fetch over.
  std::unique_ptr<KeySource> Started(const JwksUrlOptions& options) const {
    auto source = MakeJwksUrlSource(options, clock_);
    clock_.AwaitIdle();
    return source;
  }
  // Time passes, and all that is due then has been done.
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    clock_.AwaitIdle();
  }
  // Two seconds later, when the cooldown is over, a fetch that a waiter asked for has
  // ended; whether it succeeded.
  bool Refetch(KeySource& source) {
    Pass(absl::Seconds(2));
    Answers answers;
    source.AwaitFetch(answers.Waiter());
    answers.WaitFor(1);
    clock_.AwaitIdle();
    return answers.succeeded() == 1;
  }
  static std::shared_ptr<const jose::VerificationKey> KeyOf(const KeySource& source,
                                                            const TokenMaker& maker) {
    const auto keys = source.Current();
    return keys == nullptr ? nullptr : keys->Find(maker.kid(), maker.algorithm());
  }

  std::string folder_;
  FakeClock clock_{absl::FromUnixSeconds(1'795'216'315)};
  const TokenMaker a_{Algorithm::kEdDsa, "a"};
  const TokenMaker b_{Algorithm::kEdDsa, "b"};
};

}  // namespace gatehouse::keys
