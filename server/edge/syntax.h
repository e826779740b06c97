#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace gatehouse::edge {

// Whether it is a method as they are: upper case letters, 20 at most.
bool IsMethod(absl::string_view method);

// The name in `sent`, a Host header's value: in lower case, without port and one dot at its
// end; an IPv6 address keeps its brackets. False, with `host` of no use, if it is none.
bool ReadHost(absl::string_view sent, std::string& host);

}  // namespace gatehouse::edge
