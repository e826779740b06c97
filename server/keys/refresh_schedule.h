#pragma once

#include <cstdint>
#include <random>
#include <utility>

#include "absl/time/time.h"

namespace gatehouse::keys {

// When a key set is fetched next. Times are steady nanoseconds. Not thread-safe;
// looks at no clock.
class RefreshSchedule {
 public:
  struct Times {
    absl::Duration cooldown;
    absl::Duration retry_after;
    absl::Duration retry_at_most;
  };

  RefreshSchedule(const Times& times, uint32_t seed);

  // When the next fetch is due: at once in the beginning; then when 80 to 90 percent
  // of a good one's lifetime have passed since it began, or the back-off after a bad
  // one ended; if the set is suspected, no later than 30 s after the last one began; and, if
  // somebody waits, no later than `cooldown` after the last fetch that somebody waited
  // for began, or what SentBack() puts it off to.
  int64_t NextFetch(bool somebody_waits) const;

  void Began(int64_t now, bool somebody_waits);
  void Succeeded(absl::Duration lifetime);
  void Failed(int64_t now);
  // The set may be out of date. Whether that is news since the last fetch began.
  bool Suspect() { return !std::exchange(suspected_, true); }
  // Waiters were told to look again: those who come back within 100 ms shall find that the
  // next fetch has not begun.
  void SentBack(int64_t now);

 private:
  const int64_t cooldown_;
  const int64_t retry_after_;
  const int64_t retry_at_most_;
  std::minstd_rand random_;  // spreads retries; nothing rests on its being unknown
  int64_t began_ = 0;
  int64_t due_ = 0;
  int64_t waiters_due_ = 0;
  bool suspected_ = false;
  int64_t retry_;  // the next back-off, before jitter
};

}  // namespace gatehouse::keys
