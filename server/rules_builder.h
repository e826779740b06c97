#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/frontend/caller_numbers.h"
#include "server/frontend/decision_log.h"
#include "server/frontend/ruleset.h"
#include "server/keys/key_source.h"
#include "server/revocation/index.h"

namespace gatehouse {

// Makes rulesets from configurations, one after another. What does not change goes on in
// the next one as it is: key sources of issuers whose keys come from the same place, and
// the authorizer with all tokens that it remembers, if nothing about issuers and the
// audiences of callers and routes is different. For one thread at a time.
class RulesBuilder {
 public:
  // All outlive it and the rulesets.
  RulesBuilder(const revocation::RevocationIndex& index, frontend::CallerNumbers& numbers,
               frontend::DecisionLogCounters& decisions, const Clock& clock)
      : index_(index), numbers_(numbers), decisions_(decisions), clock_(clock) {}

  struct Built {
    std::shared_ptr<const frontend::Ruleset> rules;
    // In what it is different from the one before: "policy", "issuers", ...
    std::vector<std::string> changed;
    bool keeps_tokens = false;
  };

  // Reads the secrets and key files that `config` names. As Server::Start. The one that
  // it gave last is the one in force.
  absl::StatusOr<Built> Build(const config::Config& config);

 private:
  // The one in force, if it is to be the same: a file should have one writer.
  absl::StatusOr<std::shared_ptr<frontend::DecisionLog>> DecisionLogOf(
      const config::Config& config) const;
  // A key source, and what it was made of.
  struct Source {
    std::string issuer;
    std::vector<jose::Algorithm> algorithms;
    config::Keys keys;  // without places
    std::shared_ptr<keys::KeySource> source;
  };
  struct Last {
    config::Config config;
    std::vector<Source> sources;         // in the order of the issuers
    std::vector<std::string> audiences;  // of the authorizer: the callers' and the routes'
    std::shared_ptr<const frontend::Ruleset> rules;
  };

  // The one in force, if it is of the same making and no secret has changed.
  absl::StatusOr<Source> SourceOf(const config::Issuer& issuer, const std::string& folder) const;
  // Null where nothing of it can go on.
  std::shared_ptr<engine::Authorizer> AuthorizerInForce(
      const std::vector<engine::TrustedIssuer>& issuers,
      const std::vector<std::string>& audiences) const;
  std::vector<std::string> WhatChanged(const Last& next) const;

  const revocation::RevocationIndex& index_;
  frontend::CallerNumbers& numbers_;
  frontend::DecisionLogCounters& decisions_;
  const Clock& clock_;
  std::shared_ptr<frontend::DecisionLog> decision_log_;  // of the last ruleset
  std::optional<Last> last_;
};

}  // namespace gatehouse
