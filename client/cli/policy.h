#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/commands.h"
#include "server/config/config.h"
#include "server/config/policy_tests.h"
#include "server/policy/policy.h"

// What the subcommands of `gatehouse policy` share. All work offline, on the
// server's configuration file.
namespace gatehouse::cli {

struct LoadedPolicy {
  config::Config config;
  std::vector<std::string> issuers;
  policy::Policy policy;

  // Leaves out what the issuer of `who` may not assert. INVALID_ARGUMENT for a tenant that
  // it may not speak for, or an issuer that the configuration does not have.
  absl::Status KeepAsserted(config::PolicyUser& who) const;
};

// INVALID_ARGUMENT with every mistake of the file, or if it has no policy.
absl::StatusOr<LoadedPolicy> LoadPolicy(const std::string& config_file);

// Adds --config.
void AddConfig(CLI::App& subcommand, std::string& config_file);

// Add `explain` and `replay` to `policy`.
void AddPolicyExplain(CLI::App& policy, Action& action);
void AddPolicyReplay(CLI::App& policy, Action& action);

// "allow" or "deny", coloured.
std::string VerdictWord(bool allow);

// Whether each question of the file `tests` gets the answer that it says. kYes if so,
// kNo with the differences if not.
int RunPolicyTests(const LoadedPolicy& loaded, const std::string& tests, Output output);

// Who may do what, as a table: a line for each action, a column for each role.
int PrintPolicyMatrix(const LoadedPolicy& loaded);

// PostgreSQL row-level security, for the resource types `types`, or if there is none
// for all whose table has commands. Nothing is written if one of them cannot be.
int PrintPolicyRls(const LoadedPolicy& loaded, std::vector<std::string> types);

}  // namespace gatehouse::cli
