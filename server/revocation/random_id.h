#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gatehouse::revocation {

// 128 random bits as 32 lower-case hexadecimal digits. INTERNAL when the machine
// gives no randomness.
absl::StatusOr<std::string> RandomId();

// Whether `text` is so many lower-case hexadecimal digits.
bool IsHex(absl::string_view text, size_t digits);
// Whether `text` could have been made by RandomId.
bool IsId(absl::string_view text);

}  // namespace gatehouse::revocation
