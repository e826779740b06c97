#include "server/revocation/cleanup_gate.h"

#include <algorithm>

namespace gatehouse::revocation {

CleanupGate::CleanupGate(const Clock& clock)
    : clock_(clock),
      origin_(clock.Now() - absl::Nanoseconds(clock.SteadyNanos())),
      since_(clock.SteadyNanos()) {}

std::optional<absl::Time> CleanupGate::Until(bool saw_good_token) {
  const int64_t steady = clock_.SteadyNanos();
  const absl::Time origin = clock_.Now() - absl::Nanoseconds(steady);
  if (absl::AbsDuration(origin - origin_) > kTolerance) {
    origin_ = origin;
    since_ = steady;
    // A token of between the two calls may have been judged by either clock.
    saw_good_token_ = false;
  } else {
    saw_good_token_ |= saw_good_token;
  }
  if (!believed_origin_ && saw_good_token_ && absl::Nanoseconds(steady - since_) >= kSettled) {
    believed_origin_ = std::min(origin, origin_);
  }
  if (!believed_origin_) return std::nullopt;
  return std::min(origin, *believed_origin_) + absl::Nanoseconds(steady);
}

}  // namespace gatehouse::revocation
