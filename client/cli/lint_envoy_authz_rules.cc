#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/lint_envoy_rules.h"

// Rules on the ext_authz filter itself, and on what Istio and Envoy Gateway make of it.
namespace gatehouse::cli {
namespace {

constexpr absl::Duration kLongestWait = absl::Seconds(1);

void FailureModeAllow(const LintModel& model, const LintReport& report) {
  const auto check = [&](const LintNode* value) {
    if (value != nullptr && !IsFalse(value)) report.At(*value);
  };
  for (const AuthzFilter& filter : model.authz) check(Get(filter.config, "failure_mode_allow"));
  for (const Provider& provider : model.providers) check(Get(provider.node, "fail_open"));
}

void ShadowMode(const LintModel& model, const LintReport& report) {
  for (const AuthzFilter& filter : model.authz) {
    const LintNode* const value = Get(filter.config, "shadow_mode");
    if (value != nullptr && !IsFalse(value)) report.At(*value);
  }
}

void StatusOnError(const LintModel& model, const LintReport& report) {
  const auto check = [&](const LintNode& place, const LintNode* status) {
    if (status == nullptr) {
      report.At(place, "403, since no status is set");
    } else if (!IsEnum(status, "ServiceUnavailable", 503)) {
      report.At(*status, absl::StrCat("\"", TextOf(status), "\" and not 503"));
    }
  };
  for (const AuthzFilter& filter : model.authz) {
    const LintNode* const status = Get(filter.config, {"status_on_error", "code"});
    if (filter.network || (filter.partial && status == nullptr)) continue;
    check(*filter.config, status);
  }
  for (const Provider& provider : model.providers) {
    if (!provider.gateway) check(*provider.node, Get(provider.node, "status_on_error"));
  }
}

// What is asked, and how long for.
struct Wait {
  const LintNode* place = nullptr;
  const LintNode* timeout = nullptr;
  const char* otherwise = "";  // if no timeout is given
  bool partial = false;
};

// Of an ext_authz filter's, or a route's, own words for the service.
void AddWait(const LintNode* holder, bool partial, std::vector<Wait>& waits) {
  const LintNode* const grpc = Get(holder, "grpc_service");
  const LintNode* const http = Get(holder, {"http_service", "server_uri"});
  if (grpc != nullptr) {
    waits.push_back({grpc, Get(grpc, "timeout"), "Envoy waits its default of 200 ms", partial});
  }
  if (http != nullptr) {
    waits.push_back({http, Get(http, "timeout"), "Envoy does not start without", partial});
  }
}

std::vector<Wait> AllWaits(const LintModel& model) {
  std::vector<Wait> waits;
  for (const AuthzFilter& filter : model.authz) AddWait(filter.config, filter.partial, waits);
  for (const LintNode* const settings : model.per_filter) {
    for (const LintNode& setting : settings->values) {
      AddWait(Get(TypedOf(&setting).config, "check_settings"), /*partial=*/false, waits);
    }
  }
  for (const Provider& provider : model.providers) {
    waits.push_back(
        {provider.node, Get(provider.node, "timeout"),
         provider.gateway ? "Envoy Gateway waits 10 seconds" : "Istio waits 10 minutes"});
  }
  return waits;
}

void TimeoutMissing(const LintModel& model, const LintReport& report) {
  for (const Wait& wait : AllWaits(model)) {
    if (wait.timeout != nullptr || wait.partial) continue;
    const bool envoy = absl::string_view(wait.otherwise).substr(0, 6) == "Envoy ";
    const bool gateway = absl::string_view(wait.otherwise).substr(0, 13) == "Envoy Gateway";
    report.At(*wait.place, wait.otherwise,
              envoy && !gateway ? Severity::kWarning : Severity::kDanger);
  }
}

void TimeoutHuge(const LintModel& model, const LintReport& report) {
  for (const Wait& wait : AllWaits(model)) {
    if (wait.timeout == nullptr) continue;
    const auto duration = DurationOf(wait.timeout);
    if (!duration.has_value()) {
      report.At(*wait.timeout, "no duration that can be read");
    } else if (*duration <= absl::ZeroDuration()) {
      report.At(*wait.timeout, "for ever");
    } else if (*duration > kLongestWait) {
      report.At(*wait.timeout, "more than 1 s");
    }
  }
}

void HttpService(const LintModel& model, const LintReport& report) {
  for (const AuthzFilter& filter : model.authz) {
    const LintNode* const http = Get(filter.config, "http_service");
    if (http != nullptr) report.At(*http);
  }
  for (const Provider& provider : model.providers) {
    if (provider.http) report.At(*provider.node);
  }
}

void NetworkFilter(const LintModel& model, const LintReport& report) {
  for (const AuthzFilter& filter : model.authz) {
    if (filter.network) report.At(*filter.config);
  }
}

void ApiVersion(const LintModel& model, const LintReport& report) {
  for (const AuthzFilter& filter : model.authz) {
    const LintNode* const version = Get(filter.config, "transport_api_version");
    if (version != nullptr && !IsEnum(version, "V3", 2)) report.At(*version);
    if (version == nullptr && !filter.partial) report.At(*filter.config);
  }
}

bool DeniesWhereDisabled(const AuthzFilter& filter) {
  return IsTrue(Get(filter.config, {"deny_at_disable", "default_value"}));
}

// The share of requests for which the filter is on.
double Share(const LintNode* enabled) {
  const LintNode* const fraction = Get(enabled, "default_value");
  const LintNode* const denominator = Get(fraction, "denominator");
  double whole = 100;
  if (IsEnum(denominator, "TEN_THOUSAND", 1)) whole = 10'000;
  if (IsEnum(denominator, "MILLION", 2)) whole = 1'000'000;
  return NumberOf(Get(fraction, "numerator")).value_or(0) / whole;
}

void FilterEnabled(const LintModel& model, const LintReport& report) {
  for (const AuthzFilter& filter : model.authz) {
    const LintNode* const enabled = Get(filter.config, "filter_enabled");
    if (enabled == nullptr || DeniesWhereDisabled(filter) || Share(enabled) >= 1) continue;
    report.At(*enabled);
  }
}

void FilterEnabledMetadata(const LintModel& model, const LintReport& report) {
  for (const AuthzFilter& filter : model.authz) {
    const LintNode* const enabled = Get(filter.config, "filter_enabled_metadata");
    if (enabled != nullptr && !DeniesWhereDisabled(filter)) report.At(*enabled);
  }
}

void DenyAtDisable(const LintModel& model, const LintReport& report) {
  for (const AuthzFilter& filter : model.authz) {
    const LintNode* const enabled = Get(filter.config, "filter_enabled");
    if (enabled != nullptr && !DeniesWhereDisabled(filter) && Share(enabled) >= 1) {
      report.At(*enabled);
    }
  }
}

void FilterDisabled(const LintModel& model, const LintReport& report) {
  for (const AuthzFilter& filter : model.authz) {
    const LintNode* const disabled = Get(filter.holder, "disabled");
    if (disabled != nullptr && !IsFalse(disabled)) report.At(*disabled);
  }
  for (const Chain& chain : model.chains) {
    if (chain.authz < 0) continue;
    const LintNode* const node = chain.filters[static_cast<size_t>(chain.authz)].node;
    const LintNode* const disabled = Get(node, "disabled");
    if (disabled != nullptr && !IsFalse(disabled)) report.At(*disabled);
  }
}

void FilterOptional(const LintModel& model, const LintReport& report) {
  for (const AuthzFilter& filter : model.authz) {
    const LintNode* const optional = Get(filter.holder, "is_optional");
    if (optional != nullptr && !IsFalse(optional)) report.At(*optional);
  }
}

}  // namespace

const std::vector<LintRule>& AuthzRules() {
  static const auto* const kRules = new std::vector<LintRule>{
      {"failure-mode-allow", Severity::kDanger,
       "requests pass undecided in three cases: Gatehouse is stopped, Gatehouse timed out, or the "
       "request's body is over Gatehouse's receive limit, which any client can bring about",
       "failure_mode_allow: false   # Istio and Envoy Gateway: failOpen: false", FailureModeAllow},
      {"shadow-mode", Severity::kDanger,
       "what Gatehouse denies is only noted: every request passes", "shadow_mode: false",
       ShadowMode},
      {"status-on-error", Severity::kWarning,
       "in an outage clients get $0: they take \"try again\" for \"you may not\", and alarms for "
       "5xx stay silent",
       "status_on_error: {code: ServiceUnavailable}   # Istio: statusOnError: \"503\"",
       StatusOnError},
      {"timeout-missing", Severity::kWarning,
       "no timeout is given: $0; in an outage every request hangs for so long", "timeout: 0.2s",
       TimeoutMissing},
      {"timeout-huge", Severity::kDanger,
       "the timeout is $0: while Gatehouse is slow, requests pile up in the proxy until it fails "
       "for everybody",
       "timeout: 0.2s", TimeoutHuge},
      {"http-service", Severity::kWarning,
       "Gatehouse answers Envoy over gRPC; in Envoy's HTTP form it is not shown most headers, and "
       "what it answers is no verdict to Envoy",
       "grpc_service: {envoy_grpc: {cluster_name: gatehouse}, timeout: 0.2s}   # Istio: "
       "envoyExtAuthzGrpc",
       HttpService},
      {"network-filter", Severity::kWarning,
       "this ext_authz is for connections: Gatehouse denies what has no HTTP request in it, and "
       "single requests are not looked at",
       "put envoy.filters.http.ext_authz into the http_filters instead", NetworkFilter},
      {"api-version", Severity::kWarning,
       "Gatehouse speaks V3 alone; Envoy refuses V2, and old ones take an unset version for V2: an "
       "outage",
       "transport_api_version: V3", ApiVersion},
      {"filter-enabled", Severity::kDanger,
       "only a share of the requests is asked about: whoever repeats a request gets through",
       "leave filter_enabled out, or add deny_at_disable: {default_value: true, runtime_key: "
       "ext_authz.deny}",
       FilterEnabled},
      {"filter-enabled-metadata", Severity::kDanger,
       "requests whose metadata does not match pass unasked",
       "leave filter_enabled_metadata out, or add deny_at_disable: {default_value: true, "
       "runtime_key: ext_authz.deny}",
       FilterEnabledMetadata},
      {"deny-at-disable", Severity::kWarning,
       "a runtime value can turn the authorization off, and requests then pass unasked",
       "deny_at_disable: {default_value: true, runtime_key: ext_authz.deny}", DenyAtDisable},
      {"filter-disabled", Severity::kDanger,
       "the filter is off wherever a route does not turn it on: all other requests pass unasked",
       "disabled: false", FilterDisabled},
      {"filter-optional", Severity::kWarning,
       "a proxy that does not know the filter leaves it out in silence, and every request passes",
       "is_optional: false", FilterOptional},
  };
  return *kRules;
}

}  // namespace gatehouse::cli
