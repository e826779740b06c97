#include "server/rules_builder.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <variant>
#include <vector>

#include "server/base/status_macros.h"
#include "server/edge/gate.h"
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

// The same keys, wherever the configuration speaks of them.
config::Keys WithoutPlaces(config::Keys keys) {
  if (auto* const url = std::get_if<config::KeysUrl>(&keys); url != nullptr) {
    url->ca_file_place.clear();
  } else if (auto* const file = std::get_if<config::KeysFile>(&keys); file != nullptr) {
    file->place.clear();
  } else if (auto* const secret = std::get_if<config::KeysSecret>(&keys); secret != nullptr) {
    secret->current.place.clear();
    if (secret->previous.has_value()) secret->previous->place.clear();
  }
  return keys;
}

bool HaveEqualKeys(const keys::KeySource& a, const keys::KeySource& b) {
  const auto of_a = a.Current();
  const auto of_b = b.Current();
  return of_a != nullptr && of_b != nullptr &&
         std::equal(of_a->keys().begin(), of_a->keys().end(), of_b->keys().begin(),
                    of_b->keys().end(), [](const auto& one, const auto& other) {
                      return one->thumbprint() == other->thumbprint();
                    });
}

// Beside `all`, which grows by those of the routes.
absl::StatusOr<std::shared_ptr<const edge::Gate>> GateOf(const config::Config& config,
                                                         std::vector<std::string>& all) {
  GH_ASSIGN_OR_RETURN(policy::RouteTable routes, policy::RouteTable::Compile(config.routes));
  std::vector<engine::AudienceMask> masks;
  masks.reserve(config.routes.size());
  for (const policy::Route& route : config.routes) {
    engine::AudienceMask mask = 0;
    for (const std::string& audience : route.audiences) {
      auto place = std::find(all.begin(), all.end(), audience);
      if (place == all.end()) place = all.insert(all.end(), audience);
      const auto bit = static_cast<size_t>(place - all.begin());
      if (bit >= engine::kMaxAudiences) {
        return absl::InvalidArgumentError("callers and routes name too many different audiences");
      }
      mask |= engine::AudienceMask{1} << bit;
    }
    masks.push_back(mask);
  }
  return std::make_shared<const edge::Gate>(std::move(routes), std::move(masks), config.edge);
}

// The same routes, wherever the configuration speaks of them.
std::vector<policy::Route> WithoutPlaces(std::vector<policy::Route> routes) {
  for (policy::Route& route : routes) route.place.clear();
  return routes;
}

// What the policy wants to know of tokens is the policy's.
jose::IssuerRules OwnRules(jose::IssuerRules rules) {
  rules.more_claims.clear();
  return rules;
}

}  // namespace

absl::StatusOr<std::shared_ptr<frontend::DecisionLog>> RulesBuilder::DecisionLogOf(
    const config::Config& config) const {
  if (!config.decision_log.has_value()) return nullptr;
  if (decision_log_ != nullptr && decision_log_->IsFor(*config.decision_log)) return decision_log_;
  return frontend::DecisionLog::Open(*config.decision_log, decisions_, clock_);
}

absl::StatusOr<RulesBuilder::Source> RulesBuilder::SourceOf(const config::Issuer& issuer,
                                                            const std::string& folder) const {
  Source next{.issuer = issuer.rules.issuer,
              .algorithms = issuer.rules.algorithms,
              .keys = WithoutPlaces(issuer.keys),
              .source = nullptr};
  const Source* same = nullptr;
  if (last_.has_value()) {
    for (const Source& one : last_->sources) {
      if (one.issuer == next.issuer && one.algorithms == next.algorithms && one.keys == next.keys) {
        same = &one;
      }
    }
  }
  const bool is_secret = std::holds_alternative<config::KeysSecret>(next.keys);
  if (same != nullptr && !is_secret) return *same;
  GH_ASSIGN_OR_RETURN(next.source, MakeKeySource(issuer, folder, clock_));
  if (same != nullptr && HaveEqualKeys(*same->source, *next.source)) return *same;
  return next;
}

std::shared_ptr<engine::Authorizer> RulesBuilder::AuthorizerInForce(
    const std::vector<engine::TrustedIssuer>& issuers,
    const std::vector<std::string>& audiences) const {
  if (!last_.has_value() || last_->audiences != audiences) return nullptr;
  const auto& before = last_->rules->authorizer->issuers();
  const bool same = std::equal(before.begin(), before.end(), issuers.begin(), issuers.end(),
                               [](const auto& one, const auto& other) {
                                 return one.rules == other.rules && one.keys == other.keys;
                               });
  return same ? last_->rules->authorizer : nullptr;
}

std::vector<std::string> RulesBuilder::WhatChanged(const Last& next) const {
  std::vector<std::string> changed;
  if (!last_.has_value()) return changed;
  if (next.config.policy != last_->config.policy) changed.emplace_back("policy");
  const auto& before = last_->rules->authorizer->issuers();
  const auto& after = next.rules->authorizer->issuers();
  if (!std::equal(before.begin(), before.end(), after.begin(), after.end(),
                  [](const auto& one, const auto& other) {
                    return one.keys == other.keys && OwnRules(one.rules) == OwnRules(other.rules);
                  })) {
    changed.emplace_back("issuers");
  }
  if (!next.rules->callers.SameAs(last_->rules->callers)) changed.emplace_back("callers");
  if (WithoutPlaces(next.config.routes) != WithoutPlaces(last_->config.routes)) {
    changed.emplace_back("routes");
  }
  if (next.config.edge != last_->config.edge) changed.emplace_back("edge");
  if (next.config.keep != last_->config.keep) changed.emplace_back("revocations.keep");
  if (next.config.shadow != last_->config.shadow) changed.emplace_back("shadow");
  if (next.rules->decision_log != last_->rules->decision_log) {
    changed.emplace_back("decision_log");
  }
  if (next.config.remember_for != last_->config.remember_for) {
    changed.emplace_back("revocations.remember_for");
  }
  return changed;
}

absl::StatusOr<RulesBuilder::Built> RulesBuilder::Build(const config::Config& config) {
  GH_RETURN_IF_ERROR(CheckKeys(config));
  GH_ASSIGN_OR_RETURN(policy::Policy policy, PolicyOf(config));
  GH_ASSIGN_OR_RETURN(auto shadow, ShadowOf(config, clock_));
  GH_ASSIGN_OR_RETURN(frontend::CallerTable callers, frontend::CallerTable::Load(config.callers));
  std::vector<std::string> audiences = callers.audiences();
  GH_ASSIGN_OR_RETURN(std::shared_ptr<const edge::Gate> gate, GateOf(config, audiences));
  Last next{.config = config, .sources = {}, .audiences = audiences, .rules = nullptr};
  const std::string folder = FolderOf(config.sqlite_path);
  std::vector<engine::TrustedIssuer> issuers;
  issuers.reserve(config.issuers.size());
  for (const config::Issuer& issuer : config.issuers) {
    GH_ASSIGN_OR_RETURN(Source source, SourceOf(issuer, folder));
    issuers.push_back({issuer.rules, source.source});
    next.sources.push_back(std::move(source));
  }
  GH_ASSIGN_OR_RETURN(auto decision_log, DecisionLogOf(config));
  // The last that can fail: numbers are never taken back.
  GH_RETURN_IF_ERROR(callers.NumberBy(numbers_));

  std::shared_ptr<engine::Authorizer> authorizer = AuthorizerInForce(issuers, audiences);
  const bool keeps_tokens = authorizer != nullptr;
  if (!keeps_tokens) {
    authorizer = std::make_shared<engine::Authorizer>(
        std::move(issuers), index_, clock_,
        engine::Authorizer::Options{.audiences = std::move(audiences),
                                    .render = frontend::RenderPrincipal});
  }
  next.rules = std::make_shared<const Ruleset>(
      Ruleset{.callers = std::move(callers),
              .authorizer = authorizer,
              .policy = std::make_shared<const policy::Policy>(std::move(policy)),
              .revoker = engine::Revoker(*authorizer, config.keep, clock_),
              .gate = std::move(gate),
              .decision_log = decision_log,
              .shadow = std::move(shadow),
              .rules = config.rules,
              .remember_for = config.remember_for});
  decision_log_ = std::move(decision_log);
  Built built{.rules = next.rules, .changed = WhatChanged(next), .keeps_tokens = keeps_tokens};
  last_ = std::move(next);
  return built;
}

}  // namespace gatehouse
