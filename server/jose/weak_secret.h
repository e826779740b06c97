#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace gatehouse::jose {

// INVALID_ARGUMENT, saying what is wrong and nothing of the secret, for an HS256
// secret that can be guessed: under 32 bytes (RFC 7518 section 3.2), a pattern
// repeated, bytes that count up or down, an example that stands in a standard, a
// tutorial or a framework's default, a placeholder that was never replaced.
absl::Status CheckHmacSecret(absl::string_view secret);

}  // namespace gatehouse::jose
