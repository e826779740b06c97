#pragma once

#include <string>

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/config.h"
#include "server/config/findings.h"
#include "server/policy/definition.h"

namespace gatehouse::config {

// Reads the policy at `path` ("policy", "shadow.policy") of the configuration, from files
// where it names some (relative to `folder`), and checks it for the issuers of `config`,
// which have been read. What is wrong goes to `findings`. Adds to `config`:
// - warnings: what somebody should look at, each "file:line: field: ...", those of a
//   shadow's file marked, unless the policy in force has the same at the same place;
// - policy_paths: the files and folders that were read;
// - rules, for "policy": its canonical form, as RulesHash takes it;
// - issuers[].rules.more_claims: the claims that conditions test.
policy::Definition ReadPolicy(const v1::Policy& in, const std::string& path,
                              const std::string& folder, Findings& findings, Config& config);

}  // namespace gatehouse::config
