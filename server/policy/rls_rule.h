#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/policy/compiled.h"
#include "server/policy/definition.h"

namespace gatehouse::policy {

// What row-level security says of one action of `resource`, which has a table: a
// condition of PostgreSQL on a row of it, true where Decide says kOk for the principal
// that RlsFunctions() read. `issuers`: those whose tokens may touch it. Inside of this
// folder only.
absl::StatusOr<std::string> RlsCondition(const Resource& resource, const Action& action,
                                         const std::vector<std::string>& issuers,
                                         const CompiledRoles& roles);

}  // namespace gatehouse::policy
