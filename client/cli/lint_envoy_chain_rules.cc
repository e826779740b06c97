#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/lint_envoy_rules.h"

// Rules on the HTTP filters around ext_authz.
namespace gatehouse::cli {
namespace {

constexpr absl::string_view kFilters = "envoy.extensions.filters.http.";

bool IsRouter(const Chain::Filter& filter) {
  return filter.typed.type == "envoy.extensions.filters.http.router.v3.Router";
}

// Whether the chain passes requests on to an upstream at all.
bool Forwards(const Chain& chain) {
  if (chain.routes == nullptr) return true;
  bool forwards = false;
  VisitAll(*chain.routes, [&](const LintNode& node) {
    forwards |= Get(&node, "match") != nullptr && Get(&node, "redirect") == nullptr &&
                Get(&node, "direct_response") == nullptr;
  });
  return forwards;
}

void AuthzNowhere(const LintModel& model, const LintReport& report) {
  if (model.Asks()) return;
  for (const Chain& chain : model.chains) {
    if (!chain.partial && chain.authz < 0) report.At(*chain.config);
  }
}

void AuthzMissing(const LintModel& model, const LintReport& report) {
  if (model.authz.empty()) return;
  for (const Chain& chain : model.chains) {
    if (!chain.partial && chain.authz < 0 && Forwards(chain)) report.At(*chain.config);
  }
}

void AuthzLate(const LintModel& model, const LintReport& report) {
  for (const Chain& chain : model.chains) {
    bool routed = false;
    for (const Chain::Filter& filter : chain.filters) {
      routed |= IsRouter(filter);
      if (routed && filter.authz) report.At(*filter.node);
    }
  }
}

void AuthzMatched(const LintModel& model, const LintReport& report) {
  for (const AuthzFilter& filter : model.authz) {
    if (filter.matched) report.At(*filter.config);
  }
}

void FilterUnseen(const LintModel& model, const LintReport& report) {
  for (const Chain& chain : model.chains) {
    for (const Chain::Filter& filter : chain.filters) {
      const bool unread = filter.authz && !IsAuthz(filter.typed.type);
      if (unread || Get(filter.node, "config_discovery") != nullptr) report.At(*filter.node);
    }
  }
}

// Whether a HeaderMutation does more than remove headers.
bool OnlyRemoves(const TypedConfig& typed) {
  const auto mutations = Items(Get(typed.config, {"mutations", "request_mutations"}));
  return std::all_of(mutations.begin(), mutations.end(), [](const LintNode& mutation) {
    return Get(&mutation, "remove") != nullptr || Get(&mutation, "remove_on_match") != nullptr;
  });
}

bool Rewrites(const Chain::Filter& filter) {
  constexpr std::array<absl::string_view, 10> kRewriting = {
      "lua.v3.Lua",
      "wasm.v3.Wasm",
      "ext_proc.v3.ExternalProcessor",
      "dynamic_modules.v3.DynamicModuleFilter",
      "grpc_json_transcoder.v3.GrpcJsonTranscoder",
      "grpc_json_reverse_transcoder.v3.GrpcJsonReverseTranscoder",
      "grpc_http1_reverse_bridge.v3.FilterConfig",
      "composite.v3.Composite",
      "aws_lambda.v3.Config",
      "golang.v3alpha.Config"};
  absl::string_view type = filter.typed.type;
  if (!absl::StartsWith(type, kFilters)) return false;
  type.remove_prefix(kFilters.size());
  if (type == "header_mutation.v3.HeaderMutation") return !OnlyRemoves(filter.typed);
  return std::find(kRewriting.begin(), kRewriting.end(), type) != kRewriting.end();
}

void RewritingFilter(const LintModel& model, const LintReport& report) {
  for (const Chain& chain : model.chains) {
    for (size_t i = 0; chain.authz >= 0 && i < chain.filters.size(); ++i) {
      if (!Rewrites(chain.filters[i])) continue;
      report.At(*chain.filters[i].node,
                i < static_cast<size_t>(chain.authz)
                    ? "before the authorization: Gatehouse is asked about something else than "
                      "what the client sent"
                    : "behind the authorization: the upstream can get another request than the "
                      "one that was decided on");
    }
  }
}

void CacheBefore(const LintModel& model, const LintReport& report) {
  for (const Chain& chain : model.chains) {
    for (int i = 0; i < chain.authz; ++i) {
      const Chain::Filter& filter = chain.filters[static_cast<size_t>(i)];
      if (absl::StartsWith(filter.typed.type, absl::StrCat(kFilters, "cache.")) ||
          absl::StartsWith(filter.typed.type, absl::StrCat(kFilters, "cache_v2."))) {
        report.At(*filter.node);
      }
    }
  }
}

void UpgradeFilters(const LintModel& model, const LintReport& report) {
  for (const Chain& chain : model.chains) {
    if (chain.authz < 0 && !chain.partial) continue;
    for (const LintNode& upgrade : Items(Get(chain.config, "upgrade_configs"))) {
      const auto filters = Items(Get(&upgrade, "filters"));
      const bool asks = std::any_of(filters.begin(), filters.end(), [](const LintNode& filter) {
        return IsAuthz(TypedOf(Get(&filter, "typed_config")).type);
      });
      if (!filters.empty() && !asks) report.At(*Get(&upgrade, "filters"));
    }
  }
}

void JwtMissingAllowed(const LintModel& model, const LintReport& report) {
  for (const Chain& chain : model.chains) {
    if (chain.authz >= 0 || chain.partial) continue;
    for (const Chain::Filter& filter : chain.filters) {
      if (!absl::StartsWith(filter.typed.type, absl::StrCat(kFilters, "jwt_authn."))) continue;
      VisitAll(*filter.node, [&](const LintNode& node) {
        for (const absl::string_view field :
             {"allow_missing_or_failed", "allow_missing", "extract_only_without_validation"}) {
          const LintNode* const found = Get(&node, field);
          if (found != nullptr) report.At(*found, field);
        }
      });
    }
  }
}

}  // namespace

const std::vector<LintRule>& ChainRules() {
  static const auto* const kRules = new std::vector<LintRule>{
      {"no-ext-authz", Severity::kDanger,
       "nothing in these files asks for an authorization: every request passes",
       "put envoy.filters.http.ext_authz before envoy.filters.http.router", AuthzNowhere},
      {"ext-authz-missing", Severity::kDanger,
       "requests that come in here are not asked about, while others are: this is the way around",
       "put envoy.filters.http.ext_authz before envoy.filters.http.router here too", AuthzMissing},
      {"ext-authz-late", Severity::kDanger,
       "it stands behind the router, which has sent the request on already: nothing is asked",
       "put envoy.filters.http.ext_authz before envoy.filters.http.router", AuthzLate},
      {"ext-authz-matched", Severity::kDanger,
       "the authorization runs only where a matcher says so: all other requests pass unasked",
       "put the filter into http_filters without a matcher", AuthzMatched},
      {"filter-unseen", Severity::kWarning,
       "this filter's settings are not in these files, so nothing is known of them",
       "write its typed_config here, or give this command the file that holds it", FilterUnseen},
      {"rewriting-filter", Severity::kWarning,
       "this filter can change path and headers, and stands $0",
       "leave it out, or make sure that it changes no path, method, host or token",
       RewritingFilter},
      {"cache-before-ext-authz", Severity::kDanger,
       "a cache answers before Gatehouse is asked: one user's page is given to another",
       "put ext_authz before the cache", CacheBefore},
      {"upgrade-without-ext-authz", Severity::kDanger,
       "upgraded requests (WebSocket, CONNECT) have filters of their own, without ext_authz: they "
       "pass unasked",
       "leave the upgrade's filters out, or put ext_authz into them", UpgradeFilters},
      {"jwt-missing-allowed", Severity::kDanger,
       "with $0 a request without a good token passes, and no ext_authz asks about it",
       "put envoy.filters.http.ext_authz behind jwt_authn, or leave this out", JwtMissingAllowed},
  };
  return *kRules;
}

}  // namespace gatehouse::cli
