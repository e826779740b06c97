#pragma once

#include <cstdint>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace gatehouse::engine {

// A token to look up: its text, which is what counts, and where to begin to look.
struct TokenKey {
  explicit TokenKey(absl::string_view token)
      : text(token), hash(absl::Hash<absl::string_view>()(token)) {}

  absl::string_view text;
  uint64_t hash;
};

}  // namespace gatehouse::engine
