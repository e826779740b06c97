#pragma once

#include "absl/strings/string_view.h"
#include "server/policy/definition.h"
#include "server/policy/principal.h"
#include "server/policy/question.h"
#include "server/policy/truth.h"

namespace gatehouse::policy {

// Whether `condition` holds. Allocates nothing. Thread-safe.
Truth Evaluate(const Condition& condition, const Principal& principal, const Question& question);

// A number as attributes and claims write it: decimal, with a sign, a fraction or an
// exponent, no larger than 2^53 either way. False for all else.
bool ParseNumber(absl::string_view text, double& out);

}  // namespace gatehouse::policy
