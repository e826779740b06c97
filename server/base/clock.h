#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace gatehouse {

// Where time comes from. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // The wall clock, for what tokens and revocations say. May jump.
  virtual absl::Time Now() const = 0;

  // Nanoseconds that never go back, from an arbitrary start, for timers.
  virtual int64_t SteadyNanos() const = 0;
};

// The machine's clock. Lives as long as the program.
const Clock& SystemClock();

}  // namespace gatehouse
