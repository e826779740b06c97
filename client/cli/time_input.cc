#include "client/cli/time_input.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace gatehouse::cli {
namespace {

bool ParseRfc3339(const std::string& text, absl::Time& time) {
  std::string error;
  return absl::ParseTime(absl::RFC3339_full, text, &time, &error) &&
         time != absl::InfiniteFuture() && time != absl::InfinitePast();
}

}  // namespace

absl::StatusOr<absl::Time> ParseMoment(const std::string& option, const std::string& text) {
  absl::Time time;
  int64_t seconds = 0;
  if (text == "now") return absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now()));
  if (ParseRfc3339(text, time)) return time;
  if (absl::SimpleAtoi(text, &seconds)) return absl::FromUnixSeconds(seconds);
  return absl::InvalidArgumentError(absl::StrCat(
      option, " must be now, a time such as 2026-11-21T09:00:00Z, or seconds since 1970"));
}

absl::StatusOr<absl::Time> ParseEnd(const std::string& option, const std::string& text) {
  absl::Time time;
  absl::Duration span;
  int64_t seconds = 0;
  if (ParseRfc3339(text, time)) return time;
  if (absl::SimpleAtoi(text, &seconds) && seconds > 0) return absl::FromUnixSeconds(seconds);
  if (absl::ParseDuration(text, &span) && span > absl::ZeroDuration() &&
      span != absl::InfiniteDuration()) {
    return absl::Now() + span;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(option,
                   " must be a time such as 2026-11-21T09:00:00Z, seconds since 1970, or how long "
                   "from now, such as 15m or 36h"));
}

}  // namespace gatehouse::cli
