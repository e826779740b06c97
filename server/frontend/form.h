#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace gatehouse::frontend {

// application/x-www-form-urlencoded, as OAuth 2.0 sends it.

// "+" is a space, "%2B" a plus. Nullopt for an escape that is none.
std::optional<std::string> FormDecode(absl::string_view text);

// Names and values, in their order. Nullopt for a bad escape, a name that stands there
// twice (RFC 6749 section 3.1), or more than 64 of them.
std::optional<std::vector<std::pair<std::string, std::string>>> ParseForm(absl::string_view body);

}  // namespace gatehouse::frontend
