#pragma once

#include <google/protobuf/repeated_field.h>

#include <string>
#include <vector>

#include "server/config/findings.h"

namespace gatehouse::config {

// SPIFFE ids, or all below one: "spiffe://example.org/ns/web/*". What is wrong goes to
// `findings`.
std::vector<std::string> ReadPeers(const google::protobuf::RepeatedPtrField<std::string>& given,
                                   const std::string& path, Findings& findings);

}  // namespace gatehouse::config
