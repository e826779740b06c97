#pragma once

#include <optional>

#include "server/edge/gate.h"
#include "server/policy/decision.h"

namespace gatehouse::edge {

// What was decided, for logs and metrics; nullopt if nothing was: of a request that could
// not be read, or whose token could not be judged.
std::optional<policy::Code> OutcomeOf(const Answer& answer);

}  // namespace gatehouse::edge
