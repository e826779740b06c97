#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace gatehouse::revocation {

// 128 random bits as 32 lower-case hexadecimal digits. INTERNAL when the machine
// gives no randomness.
absl::StatusOr<std::string> RandomId();

}  // namespace gatehouse::revocation
