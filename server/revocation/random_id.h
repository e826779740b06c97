#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gatehouse::revocation {

// 128 random bits as 32 lower-case hexadecimal digits. INTERNAL when the machine
// gives no randomness.
absl::StatusOr<std::string> RandomId();
// So many ids of what is written at `micros` since 1970: 16 digits of that time, so that what is
// written together lies together in an index, and 64 random bits. As RandomId otherwise.
absl::StatusOr<std::vector<std::string>> IdsAt(int64_t micros, size_t count);

// Whether `text` is so many lower-case hexadecimal digits.
bool IsHex(absl::string_view text, size_t digits);
// Whether `text` could have been made by one of these.
bool IsId(absl::string_view text);

}  // namespace gatehouse::revocation
