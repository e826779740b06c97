#pragma once

#include <google/protobuf/repeated_field.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// The end of what stands for all SPIFFE ids below one: "spiffe://example.org/ns/web/*".
inline constexpr absl::string_view kAllBelow = "/*";

// Whether this is a SPIFFE id by the SPIFFE-ID standard, and no pattern. Allocates nothing.
bool IsSpiffeId(absl::string_view id);

// SPIFFE ids and patterns, each once. What is wrong goes to `findings`, with the reason, and is
// left out.
std::vector<std::string> ReadSpiffeIds(const google::protobuf::RepeatedPtrField<std::string>& given,
                                       const std::string& path, Findings& findings);

}  // namespace gatehouse::config
