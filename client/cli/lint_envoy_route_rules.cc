#include <algorithm>
#include <initializer_list>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/lint_envoy_rules.h"

// Rules on route configurations, virtual hosts and routes.
namespace gatehouse::cli {
namespace {

void RouteDisables(const LintModel& model, const LintReport& report) {
  for (const LintNode* const settings : model.per_filter) {
    for (size_t i = 0; i < settings->keys.size(); ++i) {
      if (TurnsOff(model, settings->keys[i], settings->values[i])) report.At(settings->values[i]);
    }
  }
}

void RoutesUnseen(const LintModel& model, const LintReport& report) {
  for (const Chain& chain : model.chains) {
    if (chain.authz < 0 || chain.partial || chain.routes != nullptr) continue;
    for (const absl::string_view field : {"rds", "scoped_routes"}) {
      const LintNode* const elsewhere = Get(chain.config, field);
      if (elsewhere != nullptr) report.At(*elsewhere);
    }
  }
}

bool Names(const LintNode* list, absl::string_view header) {
  const auto items = Items(list);
  return std::any_of(items.begin(), items.end(), [&](const LintNode& item) {
    return absl::EqualsIgnoreCase(TextOf(&item), header);
  });
}

bool MutationsRemove(const LintNode* mutations, absl::string_view header) {
  const auto items = Items(mutations);
  return std::any_of(items.begin(), items.end(), [&](const LintNode& mutation) {
    const LintNode* const matcher = Get(&mutation, {"remove_on_match", "key_matcher"});
    return absl::EqualsIgnoreCase(TextOf(Get(&mutation, "remove")), header) ||
           (matcher != nullptr && MatchesText(*matcher, header, /*unsure=*/false));
  });
}

// Whether the manager removes the header before it asks for the authorization.
bool RemovedBefore(const Chain& chain, absl::string_view header) {
  for (const LintNode& extension : Items(Get(chain.config, "early_header_mutation_extensions"))) {
    const TypedConfig typed = TypedOf(Get(&extension, "typed_config"));
    if (MutationsRemove(Get(typed.config, "mutations"), header)) return true;
  }
  for (int i = 0; i < chain.authz; ++i) {
    const TypedConfig& typed = chain.filters[static_cast<size_t>(i)].typed;
    if (typed.type == "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation" &&
        MutationsRemove(Get(typed.config, {"mutations", "request_mutations"}), header)) {
      return true;
    }
  }
  return false;
}

// Whether every route removes the header, which Envoy does when it sends the request on.
bool RemovedByRoutes(const LintNode* routes, absl::string_view header) {
  if (Names(Get(routes, "request_headers_to_remove"), header)) return true;
  const auto hosts = Items(Get(routes, "virtual_hosts"));
  return !hosts.empty() && std::all_of(hosts.begin(), hosts.end(), [&](const LintNode& host) {
    return Names(Get(&host, "request_headers_to_remove"), header);
  });
}

// Whether requests can pass that Gatehouse was not asked about, or gave no answer to.
bool CanPassUnasked(const LintModel& model) {
  return std::any_of(model.per_filter.begin(), model.per_filter.end(),
                     [&](const LintNode* one) { return TurnsAuthzOff(model, one); }) ||
         std::any_of(model.authz.begin(), model.authz.end(), [](const AuthzFilter& filter) {
           const LintNode* const allow = Get(filter.config, "failure_mode_allow");
           return (allow != nullptr && !IsFalse(allow)) || IsTrue(Get(filter.holder, "disabled")) ||
                  Get(filter.config, "filter_enabled") != nullptr ||
                  Get(filter.config, "filter_enabled_metadata") != nullptr;
         });
}

void IdentityHeadersKept(const LintModel& model, const LintReport& report) {
  const Severity severity = CanPassUnasked(model) ? Severity::kDanger : Severity::kWarning;
  for (const Chain& chain : model.chains) {
    if (chain.authz < 0 || chain.partial) continue;
    std::vector<std::string> kept;
    for (const std::string& header : report.identity_headers()) {
      if (!RemovedBefore(chain, header) && !RemovedByRoutes(chain.routes, header)) {
        kept.push_back(header);
      }
    }
    if (kept.empty()) continue;
    report.At(*chain.config, absl::StrJoin(kept, ", "), severity,
              absl::StrCat("{remove: ", absl::StrJoin(kept, "}, {remove: "), "}"));
  }
}

// Envoy applies request_headers_to_remove when the request leaves, so that it takes away
// what Gatehouse has set as well.
void IdentityHeadersLost(const LintModel& model, const LintReport& report) {
  for (const Chain& chain : model.chains) {
    if (chain.authz < 0 || chain.routes == nullptr) continue;
    VisitAll(*chain.routes, [&](const LintNode& node) {
      const LintNode* const removed = Get(&node, "request_headers_to_remove");
      if (removed == nullptr || TurnsAuthzOff(model, Get(&node, "typed_per_filter_config"))) return;
      std::vector<std::string> lost;
      for (const std::string& header : report.identity_headers()) {
        if (Names(removed, header)) lost.push_back(header);
      }
      if (!lost.empty()) report.At(*removed, absl::StrJoin(lost, ", "));
    });
  }
}

// Each of `fields` in the action of a route that Gatehouse is asked about.
void AtActions(const LintModel& model, const LintReport& report,
               std::initializer_list<absl::string_view> fields) {
  for (const LintNode* const routes : model.route_configs) {
    VisitAll(*routes, [&](const LintNode& node) {
      if (Get(&node, "match") == nullptr) return;
      if (TurnsAuthzOff(model, Get(&node, "typed_per_filter_config"))) return;
      for (const absl::string_view field : fields) {
        const LintNode* const found = Get(&node, {"route", field});
        if (found != nullptr) report.At(*found, field);
      }
    });
  }
}

void PathRewritten(const LintModel& model, const LintReport& report) {
  AtActions(model, report,
            {"prefix_rewrite", "regex_rewrite", "path_rewrite", "path_rewrite_policy"});
}

void HostRewritten(const LintModel& model, const LintReport& report) {
  AtActions(
      model, report,
      {"host_rewrite_literal", "auto_host_rewrite", "host_rewrite_path_regex", "host_rewrite"});
}

void UpstreamByHeader(const LintModel& model, const LintReport& report) {
  AtActions(model, report, {"host_rewrite_header", "auto_host_rewrite_header", "cluster_header"});
}

}  // namespace

const std::vector<LintRule>& RouteRules() {
  static const auto* const kRules = new std::vector<LintRule>{
      {"route-disables-ext-authz", Severity::kDanger,
       "requests of this route pass unasked, with whatever identity headers the client wrote",
       "leave it out, and give Gatehouse a route with `public: true` for what all may see",
       RouteDisables},
      {"routes-unseen", Severity::kWarning,
       "the routes are not in these files, so nothing is known of what they turn off",
       "give this command the file of the RouteConfiguration too", RoutesUnseen},
      {"identity-headers-kept", Severity::kDanger,
       "a client's own $0 are kept: wherever Gatehouse is not asked, the upstream believes them",
       "early_header_mutation_extensions: [{name: identity, typed_config: {\"@type\": "
       "type.googleapis.com/"
       "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation, mutations: "
       "[$0]}}]",
       IdentityHeadersKept},
      {"identity-headers-lost", Severity::kWarning,
       "$0 are removed when the request leaves, after Gatehouse has set them: the upstream never "
       "learns who asks",
       "remove them in early_header_mutation_extensions instead, which comes before ext_authz",
       IdentityHeadersLost},
      {"path-rewritten", Severity::kWarning,
       "the upstream gets another path than the one that Gatehouse decided on",
       "let the upstream take the path as it is, or write Gatehouse's routes so that no two paths "
       "become one",
       PathRewritten},
      {"host-rewritten", Severity::kWarning,
       "the upstream gets another host ($0) than the one that Gatehouse decided on",
       "see that Gatehouse's routes hold for the host that the upstream answers for, or leave it "
       "out",
       HostRewritten},
      {"upstream-by-header", Severity::kDanger,
       "$0: a header chooses the host or the upstream after Gatehouse has decided on the request's "
       "own; where a client can write it, it chooses",
       "name the cluster and the host in the route, or remove the client's header in "
       "early_header_mutation_extensions",
       UpstreamByHeader},
  };
  return *kRules;
}

}  // namespace gatehouse::cli
