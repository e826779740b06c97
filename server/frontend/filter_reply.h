#pragma once

#include "absl/status/status.h"
#include "gatehouse/v1/filter.pb.h"
#include "server/policy/columns.h"
#include "server/policy/expression.h"

namespace gatehouse::frontend {

// `expression` as a caller reads it; with SQL if there is a `table`, which has passed
// the policy's check.
absl::Status FillFilter(const policy::Expression& expression, const policy::Table* table,
                        v1::Filter& out);

}  // namespace gatehouse::frontend
