#pragma once

#include "server/policy/compiled.h"
#include "server/policy/expression.h"
#include "server/policy/principal.h"

// What a rule leaves open when the token is known and the row is not. Inside of this
// folder only.
namespace gatehouse::policy {

Expression Residue(const CompiledRule& rule, const RoleSet& roles, const Principal& principal);
Expression Residue(const Condition& condition, const Principal& principal);
Expression Residue(Tenancy tenancy, const Principal& principal);

}  // namespace gatehouse::policy
