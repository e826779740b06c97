#pragma once

#include <string>
#include <vector>

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/config.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// Reads `shadow:`, whose policy is checked as the one in force is.
ShadowPolicy ReadShadow(const v1::ShadowPolicy& in, const std::vector<std::string>& issuers,
                        Findings& findings, std::vector<std::string>& warnings);

}  // namespace gatehouse::config
