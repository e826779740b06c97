#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/frontend/caller_numbers.h"
#include "server/frontend/decision_log.h"
#include "server/frontend/ruleset.h"
#include "server/revocation/index.h"

namespace gatehouse {

// Makes rulesets from configurations. For one thread at a time.
class RulesBuilder {
 public:
  // All outlive it and the rulesets.
  RulesBuilder(const revocation::RevocationIndex& index, frontend::CallerNumbers& numbers,
               frontend::DecisionLogCounters& decisions, const Clock& clock)
      : index_(index), numbers_(numbers), decisions_(decisions), clock_(clock) {}

  // Reads the secrets and key files that `config` names. As Server::Start.
  absl::StatusOr<std::shared_ptr<const frontend::Ruleset>> Build(const config::Config& config);

 private:
  // The one in force, if it is to be the same: a file should have one writer.
  absl::StatusOr<std::shared_ptr<frontend::DecisionLog>> DecisionLogOf(
      const config::Config& config) const;

  const revocation::RevocationIndex& index_;
  frontend::CallerNumbers& numbers_;
  frontend::DecisionLogCounters& decisions_;
  const Clock& clock_;
  std::shared_ptr<frontend::DecisionLog> decision_log_;  // of the last ruleset
};

}  // namespace gatehouse
