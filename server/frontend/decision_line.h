#pragma once

#include <string>

#include "absl/time/time.h"
#include "server/frontend/decision_log.h"

namespace gatehouse::frontend {

// The line, with its end, that says `decided`. `micros`: how long it took.
std::string DecisionLine(const DecidedCall& call, const Decided& decided, absl::Time now,
                         int64_t micros, bool with_facts);

// The line that says how many decisions are missing, by reason.
std::string LossLine(const std::array<int64_t, kLostDecisionNames.size()>& lost, absl::Time now);

}  // namespace gatehouse::frontend
