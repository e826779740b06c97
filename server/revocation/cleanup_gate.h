#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "server/base/clock.h"

namespace gatehouse::revocation {

// Says whether the wall clock may be believed where facts end by it: a clock that was set
// wrong must not bring a revoked token back. Immutable, so thread-safe.
class CleanupGate {
 public:
  // The wall clock and the monotonic one may part by so much from the start.
  static constexpr absl::Duration kTolerance = absl::Minutes(5);

  // `clock` outlives it. The start is now.
  explicit CleanupGate(const Clock& clock);

  // Facts that ended before this may be cleaned up; none: not now. Not before a good token
  // was seen since the start: with a clock far ahead none is good.
  std::optional<absl::Time> Until(bool saw_good_token) const;

 private:
  const Clock& clock_;
  const absl::Time wall_at_start_;
  const int64_t steady_at_start_;
};

}  // namespace gatehouse::revocation
