#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/policy/definition.h"

namespace gatehouse::policy {

// A PostgreSQL script that makes the database itself hold `policy` for the tables of
// `types`: of a table's rows, a command touches those on which Decide says kOk for the
// action that Table::commands names, for the principal that the setting
// gatehouse.principal holds as JSON. Without a whole principal there, none; nor, where the
// action tests claims, without claims. May be run again. Constants are literals, names those of the
// tables' maps.
//
// `policy` has passed Check with `issuers`. FAILED_PRECONDITION, with a line for each
// of `types` of which no policy can be written; INVALID_ARGUMENT for a constant that
// PostgreSQL has no form for.
absl::StatusOr<std::string> RowLevelSecurity(const Definition& policy,
                                             const std::vector<std::string>& issuers,
                                             const std::vector<std::string>& types);

}  // namespace gatehouse::policy
