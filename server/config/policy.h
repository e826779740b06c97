#pragma once

#include <string>
#include <vector>

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/findings.h"
#include "server/policy/definition.h"

namespace gatehouse::config {

// Reads `policy:` and checks it (policy::Check) for these issuers. What is wrong goes
// to `findings`; what somebody should look at to `warnings`, each
// "file:line: field: ...". `root` is where it stands: "policy", or "shadow.policy".
policy::Definition ReadPolicy(const v1::Policy& in, const std::vector<std::string>& issuers,
                              Findings& findings, std::vector<std::string>& warnings,
                              const std::string& root = "policy");

}  // namespace gatehouse::config
