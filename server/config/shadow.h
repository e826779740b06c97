#pragma once

#include <string>

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/config.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// Reads `shadow:`, whose policy is read and checked as the one in force is (ReadPolicy).
ShadowPolicy ReadShadow(const v1::ShadowPolicy& in, const std::string& folder, Findings& findings,
                        Config& config);

}  // namespace gatehouse::config
