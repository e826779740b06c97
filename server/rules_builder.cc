#include "server/rules_builder.h"

#include <filesystem>
#include <utility>
#include <vector>

#include "server/base/status_macros.h"
#include "server/frontend/reply.h"
#include "server/frontend/shadow.h"
#include "server/issuer_keys.h"
#include "server/server.h"

namespace gatehouse {
namespace {

using frontend::Ruleset;

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

absl::StatusOr<policy::Policy> Compile(const policy::Definition& policy,
                                       const config::Config& config) {
  std::vector<std::string> issuers;
  issuers.reserve(config.issuers.size());
  for (const config::Issuer& issuer : config.issuers) issuers.push_back(issuer.rules.issuer);
  return policy::Policy::Compile(policy, issuers);
}

absl::StatusOr<policy::Policy> PolicyOf(const config::Config& config) {
  if (config.policy.has_value()) return Compile(*config.policy, config);
  return policy::Policy::Default(static_cast<int>(config.issuers.size()));
}

absl::StatusOr<std::shared_ptr<frontend::Shadow>> ShadowOf(const config::Config& config,
                                                           const Clock& clock) {
  if (!config.shadow.has_value()) return nullptr;
  GH_ASSIGN_OR_RETURN(policy::Policy policy, Compile(config.shadow->policy, config));
  return std::make_shared<frontend::Shadow>(std::move(policy), config.shadow->percent, clock);
}

}  // namespace

absl::StatusOr<std::shared_ptr<frontend::DecisionLog>> RulesBuilder::DecisionLogOf(
    const config::Config& config) const {
  if (!config.decision_log.has_value()) return nullptr;
  if (decision_log_ != nullptr && decision_log_->IsFor(*config.decision_log)) return decision_log_;
  return frontend::DecisionLog::Open(*config.decision_log, decisions_, clock_);
}

absl::StatusOr<std::shared_ptr<const Ruleset>> RulesBuilder::Build(const config::Config& config) {
  GH_RETURN_IF_ERROR(CheckKeys(config));
  const std::string folder = FolderOf(config.sqlite_path);
  std::vector<engine::TrustedIssuer> issuers;
  issuers.reserve(config.issuers.size());
  for (const config::Issuer& issuer : config.issuers) {
    GH_ASSIGN_OR_RETURN(auto keys, MakeKeySource(issuer, folder, clock_));
    issuers.push_back({issuer.rules, std::move(keys)});
  }
  GH_ASSIGN_OR_RETURN(policy::Policy policy, PolicyOf(config));
  GH_ASSIGN_OR_RETURN(frontend::CallerTable callers, frontend::CallerTable::Load(config.callers));
  GH_RETURN_IF_ERROR(callers.NumberBy(numbers_));
  const auto authorizer = std::make_shared<engine::Authorizer>(
      std::move(issuers), index_, clock_,
      engine::Authorizer::Options{.audiences = callers.audiences(),
                                  .render = frontend::RenderPrincipal});
  GH_ASSIGN_OR_RETURN(auto shadow, ShadowOf(config, clock_));
  GH_ASSIGN_OR_RETURN(decision_log_, DecisionLogOf(config));
  return std::make_shared<const Ruleset>(
      Ruleset{.callers = std::move(callers),
              .authorizer = authorizer,
              .policy = std::make_shared<const policy::Policy>(std::move(policy)),
              .revoker = engine::Revoker(*authorizer, config.keep, clock_),
              .decision_log = decision_log_,
              .shadow = std::move(shadow)});
}

}  // namespace gatehouse
