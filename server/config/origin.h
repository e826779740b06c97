#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace gatehouse::config {

// What is wrong with an origin, and what would be right; empty if it is one as browsers send it:
// "https://app.example.com", "http://localhost:3000".
std::string WhyNoOrigin(absl::string_view origin);

// Whether its pages travel unencrypted to other machines.
bool IsPlaintextOrigin(absl::string_view origin);

}  // namespace gatehouse::config
