#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace gatehouse::config {

// RFC 9110: what the names of headers, and of cookies, are made of.
bool IsToken(absl::string_view text);

// What is wrong with a header's name that is to tell a service who calls, and what would be
// right; empty if nothing. In lower case, without '_', and none that means something to proxies,
// browsers or Gatehouse.
std::string WhyNoIdentityHeader(absl::string_view name);

}  // namespace gatehouse::config
