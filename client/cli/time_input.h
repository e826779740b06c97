#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace gatehouse::cli {

// The moment that `text` names: "now", a time such as 2026-11-21T09:00:00Z, or seconds
// since 1970. INVALID_ARGUMENT, beginning with the option's name.
absl::StatusOr<absl::Time> ParseMoment(const std::string& option, const std::string& text);

// The same for the end of a span: a time, seconds since 1970, or how long from now,
// such as 15m.
absl::StatusOr<absl::Time> ParseEnd(const std::string& option, const std::string& text);

}  // namespace gatehouse::cli
