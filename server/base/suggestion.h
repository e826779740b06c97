#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace gatehouse {

// The one of `known` that was probably meant by `word`; empty if none is near.
// Case and "-" for "_" do not count as differences.
std::string Nearest(absl::string_view word, const std::vector<std::string>& known);

}  // namespace gatehouse
