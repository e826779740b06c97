#pragma once

#include <string>

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/config.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// Reads `decision_log:`. `folder`: where relative paths begin.
DecisionLog ReadDecisionLog(const v1::DecisionLog& in, const std::string& folder,
                            Findings& findings);

}  // namespace gatehouse::config
