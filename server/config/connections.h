#pragma once

#include "absl/time/time.h"
#include "gatehouse/config/v1/config.pb.h"
#include "server/config/config.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// listen.connections, with defaults. What is wrong goes to `findings`.
Connections ReadConnections(const v1::Connections& in, Findings& findings);

// listen.drain, in the same way.
absl::Duration ReadDrain(const v1::Listen& in, Findings& findings);

}  // namespace gatehouse::config
