#pragma once

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/audiences.h"
#include "server/config/config.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// Reads `routes` into `config`, whose issuers and policy have been read; they compile unless
// something is wrong, which goes to `findings`. Adds to `config.warnings` what can never be
// allowed, and what another path's slash at its end would walk around.
void ReadRoutes(const v1::Config& in, Audiences& audiences, Findings& findings, Config& config);

}  // namespace gatehouse::config
