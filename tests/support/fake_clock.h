#pragma once

#include <list>
#include <vector>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"

namespace gatehouse {

// A clock that stands still until it is moved. Thread-safe; but nobody who waits on
// it may be destroyed while it is being moved.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time now) : now_(now) {}

  absl::Time Now() const override {
    MutexLock lock(mu_);
    return now_;
  }
  int64_t SteadyNanos() const override {
    MutexLock lock(mu_);
    return steady_;
  }

  void WaitUntil(Mutex& mu, CondVar& changed, int64_t until) const override GH_REQUIRES(mu) {
    std::list<Waiting>::iterator self;
    {
      MutexLock lock(mu_);
      if (steady_ >= until) return;
      self = waiting_.insert(waiting_.end(), {&mu, &changed, until, false});
      arrived_.NotifyAll();
    }
    changed.Wait(mu);
    MutexLock lock(mu_);
    waiting_.erase(self);
  }

  // Time passes: both clocks move, and those who wait for it look again.
  void Advance(absl::Duration d) {
    std::vector<Waiting> wake;
    {
      MutexLock lock(mu_);
      now_ += d;
      steady_ += absl::ToInt64Nanoseconds(d);
      for (Waiting& waiting : waiting_) {
        waiting.woken = true;
        wake.push_back(waiting);
      }
    }
    for (const Waiting& waiting : wake) {
      // Under their lock: they have taken their place before they sleep.
      MutexLock lock(*waiting.mu);
      waiting.changed->NotifyAll();
    }
  }
  // Somebody sets the wall clock.
  void SetWall(absl::Time now) {
    MutexLock lock(mu_);
    now_ = now;
  }

  // Returns when `count` threads have looked at the time since it was moved last, and
  // wait for one that has not come: all that was due then has been done.
  void AwaitIdle(size_t count = 1) const {
    MutexLock lock(mu_);
    while (Idle() < count) arrived_.Wait(mu_);
  }

 private:
  struct Waiting {
    Mutex* mu;
    CondVar* changed;
    int64_t until;
    bool woken;
  };

  size_t Idle() const GH_REQUIRES(mu_) {
    size_t idle = 0;
    for (const Waiting& waiting : waiting_)
      idle += !waiting.woken && waiting.until > steady_ ? 1 : 0;
    return idle;
  }

  mutable Mutex mu_;
  mutable CondVar arrived_;
  mutable std::list<Waiting> waiting_ GH_GUARDED_BY(mu_);
  absl::Time now_ GH_GUARDED_BY(mu_);
  int64_t steady_ GH_GUARDED_BY(mu_) = 0;
};

}  // namespace gatehouse
