#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "server/base/clock.h"

namespace gatehouse::revocation {

// Says up to when facts may end: a clock that was set wrong must not bring a revoked token
// back. For one thread, which asks again and again.
//
// Facts end by the slower of two clocks: the wall clock, and the monotonic one counted on from
// a moment at which the wall clock was believed. So the wall clock alone ends nothing:
//   - set ahead, the monotonic one holds it back, however long it stays ahead, and whoever
//     shares it: an issuer on the same machine mints good tokens by the same wrong clock;
//   - set back, facts end later by so much;
//   - the machine slept, so that the monotonic clock stood still: facts end later by so much,
//     until a restart, which begins anew.
// That moment is never moved: a clock that was right to jump ahead and one that is wrong
// cannot be told apart, and what is kept too long does no harm.
class CleanupGate {
 public:
  // The wall clock was set if it parts from the monotonic one by more.
  static constexpr absl::Duration kTolerance = absl::Minutes(5);
  // It is believed when it was not set for so long, since the start or since it was set.
  static constexpr absl::Duration kSettled = absl::Hours(1);

  // `clock` outlives it. The start is now.
  explicit CleanupGate(const Clock& clock);

  // Facts that ended before this may be cleaned up; none: not yet. `saw_good_token`: since the
  // last call a fresh good token was seen (RevocationIndex), which by a clock far ahead no
  // token is. Nothing is cleaned up before one was seen in the time that the wall clock has
  // to be settled for.
  std::optional<absl::Time> Until(bool saw_good_token);

 private:
  const Clock& clock_;
  // When the monotonic clock began, as the wall clock says: constant while nobody sets it.
  absl::Time origin_;
  int64_t since_;                // SteadyNanos() when it was that for the first time
  bool saw_good_token_ = false;  // since then
  std::optional<absl::Time> believed_origin_;
};

}  // namespace gatehouse::revocation
