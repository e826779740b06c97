#include "server/base/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace gatehouse {
namespace {

class RealClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }

  int64_t SteadyNanos() const override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  void WaitUntil(Mutex& mu, CondVar& changed, int64_t until) const override GH_REQUIRES(mu) {
    // "Never" would overflow inside the standard library; who waits looks again.
    constexpr int64_t kLongest = 3'600'000'000'000;
    const int64_t now = SteadyNanos();
    if (until <= now) return;
    changed.WaitFor(mu, std::chrono::nanoseconds(until > now + kLongest ? kLongest : until - now));
  }
};

}  // namespace

const Clock& SystemClock() {
  static const RealClock clock;
  return clock;
}

}  // namespace gatehouse
