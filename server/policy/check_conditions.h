#pragma once

#include "server/policy/definition.h"

namespace gatehouse::policy {

bool IsSame(const Condition& a, const Condition& b);

// Whether the condition holds for every token and every resource, or for none. True is
// certain; false may be a condition that was too large to be looked through.
bool IsAlwaysTrue(const Condition& condition);
bool IsNeverTrue(const Condition& condition);

// Whether it is true or unknown for every token and every resource, so that a `deny`
// always fires.
bool IsNeverFalse(const Condition& condition);

}  // namespace gatehouse::policy
