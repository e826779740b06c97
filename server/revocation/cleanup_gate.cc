#include "server/revocation/cleanup_gate.h"

namespace gatehouse::revocation {

CleanupGate::CleanupGate(const Clock& clock)
    : clock_(clock), wall_at_start_(clock.Now()), steady_at_start_(clock.SteadyNanos()) {}

std::optional<absl::Time> CleanupGate::Until(bool saw_good_token) const {
  if (!saw_good_token) return std::nullopt;
  const absl::Time now = clock_.Now();
  const absl::Duration passed = absl::Nanoseconds(clock_.SteadyNanos() - steady_at_start_);
  if (absl::AbsDuration(now - wall_at_start_ - passed) > kTolerance) return std::nullopt;
  return now;
}

}  // namespace gatehouse::revocation
