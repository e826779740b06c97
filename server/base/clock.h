#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "server/base/mutex.h"

namespace gatehouse {

// Where time comes from. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // The wall clock, for what tokens and revocations say. May jump.
  virtual absl::Time Now() const = 0;

  // Nanoseconds that never go back, from an arbitrary start, for timers.
  virtual int64_t SteadyNanos() const = 0;

  // Waits until `changed` is notified or SteadyNanos() has reached `until`. Spurious,
  // as CondVar's waits are. Whoever waits for time waits here, so that a test can
  // move it.
  virtual void WaitUntil(Mutex& mu, CondVar& changed, int64_t until) const GH_REQUIRES(mu) = 0;
};

// The machine's clock. Lives as long as the program.
const Clock& SystemClock();

}  // namespace gatehouse
