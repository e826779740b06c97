#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/edge/headers.h"

namespace gatehouse::edge {

// Why a request whose token stands in a cookie may be another site's work, for the log:
// browsers send cookies with whatever any page asks for. Empty: it is not. `origins` in
// lower case.
absl::string_view WhyForged(absl::string_view method, const Headers& headers,
                            const std::vector<std::string>& origins);

}  // namespace gatehouse::edge
