#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace gatehouse::frontend {

// A caller's token, as the SHA-256 of it, and the line that it stands on.
struct CallerToken {
  std::array<uint8_t, 32> hash;
  int line = 0;
};

// The tokens in a file, one a line, white space at the end of a line and empty lines
// aside. What was read is wiped. NOT_FOUND or INVALID_ARGUMENT, naming file and line
// and nothing of the token: a file that cannot be read or holds none, a token that is
// not 32 to 512 printable ASCII characters without white space, one that can be
// guessed (a pattern repeated, a known example), one that stands there twice. A path
// of no file that may be a token itself is not shown.
absl::StatusOr<std::vector<CallerToken>> ReadCallerTokens(const std::string& path);

}  // namespace gatehouse::frontend
