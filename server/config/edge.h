#pragma once

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/config.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// Reads `edge` into `config`, whose routes have been read. What is wrong goes to `findings`, and
// then the value is of no use. Adds to `config.warnings` a cookie that other hosts can set,
// origins that anybody on the way can speak for, and routes that no other site's page can reach.
void ReadEdge(const v1::Config& in, Findings& findings, Config& config);

}  // namespace gatehouse::config
