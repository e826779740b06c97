#include "client/cli/lint_envoy_rules.h"

// Rules on what an HTTP connection manager makes of paths and headers before its filters.
namespace gatehouse::cli {
namespace {

// Calls `check(chain)` for those whose requests Gatehouse decides on.
template <typename Check>
void ForGuarded(const LintModel& model, const Check& check) {
  for (const Chain& chain : model.chains) {
    if (chain.authz >= 0 || chain.partial) check(chain);
  }
}

// A field that must be true.
void MustBeTrue(const LintModel& model, const LintReport& report, absl::string_view field) {
  ForGuarded(model, [&](const Chain& chain) {
    const LintNode* const value = Get(chain.config, field);
    if (value != nullptr && !IsTrue(value)) report.At(*value);
    if (value == nullptr && !chain.partial) report.At(*chain.config);
  });
}

void NormalizePath(const LintModel& model, const LintReport& report) {
  MustBeTrue(model, report, "normalize_path");
}

void MergeSlashes(const LintModel& model, const LintReport& report) {
  MustBeTrue(model, report, "merge_slashes");
}

void EscapedSlashes(const LintModel& model, const LintReport& report) {
  ForGuarded(model, [&](const Chain& chain) {
    const LintNode* const action = Get(chain.config, "path_with_escaped_slashes_action");
    if (IsEnum(action, "REJECT_REQUEST", 2) || IsEnum(action, "UNESCAPE_AND_REDIRECT", 3)) return;
    if (action != nullptr) report.At(*action);
    if (action == nullptr && !chain.partial) report.At(*chain.config);
  });
}

void Underscores(const LintModel& model, const LintReport& report) {
  ForGuarded(model, [&](const Chain& chain) {
    const LintNode* const action =
        Get(chain.config, {"common_http_protocol_options", "headers_with_underscores_action"});
    if (IsEnum(action, "REJECT_REQUEST", 1)) return;
    if (IsEnum(action, "DROP_HEADER", 2)) {
      report.At(*action, "is dropped in silence, and nobody sees that it was tried",
                Severity::kWarning);
    } else if (action != nullptr || !chain.partial) {
      report.At(action == nullptr ? *chain.config : *action,
                "passes, and to most upstreams x_auth_subject and x-auth-subject are one");
    }
  });
}

void ClientCertificate(const LintModel& model, const LintReport& report) {
  for (const Chain& chain : model.chains) {
    const LintNode* const mode = Get(chain.config, "forward_client_cert_details");
    if (IsEnum(mode, "ALWAYS_FORWARD_ONLY", 4)) {
      report.At(*mode, "from whoever sends it, also without TLS");
    } else if (chain.edge &&
               (IsEnum(mode, "FORWARD_ONLY", 1) || IsEnum(mode, "APPEND_FORWARD", 2))) {
      report.At(*mode, "from every client that has a certificate of its own", Severity::kWarning);
    }
  }
  for (const LintNode* const mesh : model.meshes) {
    const LintNode* const mode =
        Get(mesh, {"default_config", "gateway_topology", "forward_client_cert_details"});
    if (IsEnum(mode, "ALWAYS_FORWARD_ONLY", 5)) {
      report.At(*mode, "from whoever sends it, also without TLS");
    }
  }
}

}  // namespace

const std::vector<LintRule>& PathRules() {
  static const auto* const kRules = new std::vector<LintRule>{
      {"path-not-normalized", Severity::kDanger,
       "/public/../admin is matched as it is written: another spelling of a path finds another "
       "route, and walks around its rule",
       "normalize_path: true", NormalizePath},
      {"slashes-not-merged", Severity::kDanger,
       "//admin is another path than /admin to the routes here, and the same to many upstreams: "
       "another spelling walks around a rule",
       "merge_slashes: true", MergeSlashes},
      {"escaped-slashes", Severity::kDanger,
       "/public%2F..%2Fadmin reaches the routes, and upstreams read it as another path: another "
       "spelling walks around a rule",
       "path_with_escaped_slashes_action: REJECT_REQUEST", EscapedSlashes},
      {"underscores-in-headers", Severity::kDanger, "a header with an underscore $0",
       "common_http_protocol_options: {headers_with_underscores_action: REJECT_REQUEST}",
       Underscores},
      {"client-cert-header", Severity::kDanger,
       "x-forwarded-client-cert is passed on $0: a client writes there who it is, and the upstream "
       "believes it",
       "forward_client_cert_details: SANITIZE_SET", ClientCertificate},
  };
  return *kRules;
}

}  // namespace gatehouse::cli
