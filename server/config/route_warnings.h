#pragma once

#include "server/config/config.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// Whether the policy of `config` knows what its routes ask. What it does not, and what it could
// never allow for want of a tenant, goes to `findings`; what it could never allow for want of an
// owner, to `config.warnings`.
void CheckAgainstPolicy(Config& config, Findings& findings);

// Adds to `config.warnings` the routes whose path, with or without a slash at its end, is
// another route's that asks for less: many services answer both alike. Nothing where
// `findings` has something wrong.
void WarnOfSlashes(Config& config, const Findings& findings);

// Adds to `config.warnings` the routes with hosts beside which one of the same path, a method of
// theirs and any host asks for less. Nothing where `findings` has something wrong.
void WarnOfOtherHosts(Config& config, const Findings& findings);

// Adds to `config.warnings` what proxies that ask would be surprised by: that there are no
// routes, and what forward-auth cannot do. `config` has been read but for what proxies do not
// ask about; nothing where `findings` has something wrong.
void WarnOfProxies(Config& config, const Findings& findings);

}  // namespace gatehouse::config
