#pragma once

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"

namespace gatehouse {

// A clock that stands still until it is moved. Thread-safe.
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

  // Time passes: both clocks move.
  void Advance(absl::Duration d) {
    MutexLock lock(mu_);
    now_ += d;
    steady_ += absl::ToInt64Nanoseconds(d);
  }
  // Somebody sets the wall clock.
  void SetWall(absl::Time now) {
    MutexLock lock(mu_);
    now_ = now;
  }

 private:
  mutable Mutex mu_;
  absl::Time now_ GH_GUARDED_BY(mu_);
  int64_t steady_ GH_GUARDED_BY(mu_) = 0;
};

}  // namespace gatehouse
