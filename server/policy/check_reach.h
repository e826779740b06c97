#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/policy/check.h"
#include "server/policy/definition.h"

namespace gatehouse::policy {

// What the tokens of an issuer can hold. Unset: anything.
struct IssuerReach {
  std::string issuer;
  std::optional<std::vector<std::string>> roles = {};
  std::optional<std::vector<std::string>> scopes = {};
  bool has_tenants = true;
};

// What no token can ever fulfil: rules about roles and scopes that none of a resource's
// issuers may assert, in `deny` also those that some may not; tenants that none of them
// has. Warnings, about a policy that has
// passed Check().
std::vector<Finding> CheckReach(const Definition& policy, const std::vector<IssuerReach>& issuers);

}  // namespace gatehouse::policy
