#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gatehouse::policy {

// `text` as a literal of PostgreSQL, of printable ASCII alone, that means the same
// whatever the session's encoding and standard_conforming_strings. INVALID_ARGUMENT for
// what PostgreSQL's type text cannot hold: NUL, and bytes that are no UTF-8.
absl::StatusOr<std::string> PostgresLiteral(absl::string_view text);

}  // namespace gatehouse::policy
