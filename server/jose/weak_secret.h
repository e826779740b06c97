#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/jose/algorithms.h"

namespace gatehouse::jose {

// INVALID_ARGUMENT, saying what is wrong and nothing of the secret, for a secret
// that can be guessed: shorter than the hash of `longest`, the one of its algorithms
// that has the longest (RFC 7518 section 3.2), a pattern repeated, bytes that count up or down, an
// example that stands in a standard, a tutorial or a framework's default, a placeholder that was
// never replaced.
absl::Status CheckHmacSecret(absl::string_view secret, Algorithm longest);

}  // namespace gatehouse::jose
