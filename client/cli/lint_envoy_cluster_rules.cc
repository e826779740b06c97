#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "client/cli/lint_envoy_rules.h"

// Rules on the clusters that ext_authz asks, that is, on the way to Gatehouse.
namespace gatehouse::cli {
namespace {

constexpr absl::string_view kSockets = "envoy.extensions.transport_sockets.";

template <typename Check>
void ForAuthzClusters(const LintModel& model, const Check& check) {
  for (const auto& [name, cluster] : model.clusters) {
    if (model.authz_clusters.contains(name)) check(*cluster);
  }
}

bool IsLocal(const LintNode* address) {
  if (Get(address, "pipe") != nullptr) return true;
  const absl::string_view host = TextOf(Get(address, {"socket_address", "address"}));
  return absl::StartsWith(host, "127.") || host == "::1" || host == "localhost";
}

// Whether every endpoint is on this machine. None given: they come from elsewhere.
bool StaysHere(const LintNode& cluster) {
  size_t endpoints = 0;
  bool local = true;
  for (const LintNode& group : Items(Get(&cluster, {"load_assignment", "endpoints"}))) {
    for (const LintNode& endpoint : Items(Get(&group, "lb_endpoints"))) {
      ++endpoints;
      local = local && IsLocal(Get(&endpoint, {"endpoint", "address"}));
    }
  }
  return endpoints > 0 && local;
}

// The TLS inside of what wraps it.
TypedConfig SocketOf(const LintNode* transport_socket) {
  TypedConfig typed = TypedOf(Get(transport_socket, "typed_config"));
  for (int depth = 0; depth < 8; ++depth) {
    const LintNode* const inner = Get(typed.config, "transport_socket");
    if (inner == nullptr) break;
    typed = TypedOf(Get(inner, "typed_config"));
  }
  return typed;
}

// The transport sockets of a cluster: that which is always used, and those which are
// chosen by an endpoint's metadata.
std::vector<const LintNode*> SocketsOf(const LintNode& cluster) {
  const auto matches = Items(Get(&cluster, "transport_socket_matches"));
  std::vector<const LintNode*> sockets;
  sockets.reserve(1 + matches.size());
  sockets.push_back(Get(&cluster, "transport_socket"));
  for (const LintNode& match : matches) sockets.push_back(Get(&match, "transport_socket"));
  return sockets;
}

bool Encrypts(const TypedConfig& typed) {
  constexpr std::array<absl::string_view, 3> kEncrypting = {
      "tls.v3.UpstreamTlsContext", "quic.v3.QuicUpstreamTransport", "alts.v3.Alts"};
  return std::any_of(kEncrypting.begin(), kEncrypting.end(), [&](absl::string_view one) {
    return absl::StartsWith(typed.type, kSockets) && absl::EndsWith(typed.type, one);
  });
}

void Plaintext(const LintModel& model, const LintReport& report) {
  ForAuthzClusters(model, [&](const LintNode& cluster) {
    if (StaysHere(cluster)) return;
    for (const LintNode* const socket : SocketsOf(cluster)) {
      if (!Encrypts(SocketOf(socket))) report.At(socket == nullptr ? cluster : *socket);
    }
  });
  for (const LintNode* const holder : ServiceHolders(model)) {
    const LintNode* const google = Get(holder, {"grpc_service", "google_grpc"});
    const absl::string_view target = TextOf(Get(google, "target_uri"));
    const bool local = absl::StartsWith(target, "unix:") || absl::StartsWith(target, "127.") ||
                       absl::StartsWith(target, "localhost:") || absl::StartsWith(target, "[::1]");
    if (google != nullptr && !local &&
        Get(google, {"channel_credentials", "ssl_credentials"}) == nullptr &&
        Get(google, {"channel_credentials", "google_default"}) == nullptr) {
      report.At(*google);
    }
  }
}

// The words on whose certificate is taken; null if there are none.
const LintNode* ValidationOf(const LintNode* tls) {
  const LintNode* const common = Get(tls, "common_tls_context");
  for (const absl::string_view field :
       {"validation_context", "validation_context_sds_secret_config",
        "combined_validation_context"}) {
    const LintNode* const found = Get(common, field);
    if (found != nullptr) return found;
  }
  return nullptr;
}

bool ComesFromElsewhere(const LintNode* validation) {
  return Get(validation, "sds_config") != nullptr || Get(validation, "name") != nullptr ||
         Get(validation, "validation_context_sds_secret_config") != nullptr;
}

bool HasAny(const LintNode* node, std::initializer_list<absl::string_view> fields) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](absl::string_view field) { return Get(node, field) != nullptr; });
}

// Calls `check(tls, validation)` for each TLS off this machine.
template <typename Check>
void ForTls(const LintModel& model, const Check& check) {
  ForAuthzClusters(model, [&](const LintNode& cluster) {
    if (StaysHere(cluster)) return;
    for (const LintNode* const socket : SocketsOf(cluster)) {
      const TypedConfig typed = SocketOf(socket);
      if (Get(typed.config, {"upstream_tls_context"}) != nullptr) {  // around QUIC
        const LintNode* const tls = Get(typed.config, "upstream_tls_context");
        check(cluster, *tls, ValidationOf(tls));
      } else if (Encrypts(typed) && absl::EndsWith(typed.type, "UpstreamTlsContext")) {
        check(cluster, *typed.config, ValidationOf(typed.config));
      }
    }
  });
}

void TlsUnverified(const LintModel& model, const LintReport& report) {
  ForTls(model, [&](const LintNode& /*cluster*/, const LintNode& tls, const LintNode* validation) {
    const LintNode* const trust = Get(validation, "trust_chain_verification");
    if (IsEnum(trust, "ACCEPT_UNTRUSTED", 1)) {
      report.At(*trust);
      return;
    }
    const LintNode* const combined = Get(validation, "default_validation_context");
    const bool verifies = [&] {
      for (const LintNode* const one : {validation, combined}) {
        if (HasAny(one, {"trusted_ca", "ca_certificate_provider_instance", "system_root_certs",
                         "verify_certificate_spki", "verify_certificate_hash",
                         "custom_validator_config"})) {
          return true;
        }
      }
      return ComesFromElsewhere(validation);
    }();
    if (!verifies) report.At(tls);
  });
}

void TlsAnyName(const LintModel& model, const LintReport& report) {
  ForTls(model, [&](const LintNode& cluster, const LintNode& tls, const LintNode* validation) {
    const LintNode* const combined = Get(validation, "default_validation_context");
    if (validation == nullptr || (combined == nullptr && ComesFromElsewhere(validation))) return;
    for (const LintNode* const one : {validation, combined}) {
      if (HasAny(one, {"match_typed_subject_alt_names", "match_subject_alt_names",
                       "verify_certificate_spki", "verify_certificate_hash",
                       "custom_validator_config"})) {
        return;
      }
    }
    if (IsTrue(Get(&tls, "auto_sni_san_validation"))) return;
    bool automatic = false;
    VisitAll(cluster, [&](const LintNode& node) {
      automatic |= IsTrue(Get(&node, {"upstream_http_protocol_options", "auto_san_validation"}));
    });
    if (!automatic) report.At(*validation);
  });
}

void NoHttp2(const LintModel& model, const LintReport& report) {
  ForAuthzClusters(model, [&](const LintNode& cluster) {
    const LintNode* const extensions = Get(&cluster, "typed_extension_protocol_options");
    const LintNode* options = nullptr;
    static const LintNode kNone;
    for (const LintNode& one : (extensions == nullptr ? kNone : *extensions).values) {
      const TypedConfig typed = TypedOf(&one);
      if (absl::EndsWith(typed.type, "upstreams.http.v3.HttpProtocolOptions")) {
        options = typed.config;
      }
    }
    const bool http2 =
        Get(options, {"explicit_http_config", "http2_protocol_options"}) != nullptr ||
        Get(options, {"auto_config", "http2_protocol_options"}) != nullptr ||
        Get(&cluster, "http2_protocol_options") != nullptr;
    if (!http2) report.At(cluster);
  });
}

void ClusterUnseen(const LintModel& model, const LintReport& report) {
  for (const LintNode* const holder : ServiceHolders(model)) {
    for (const LintNode* const name : {Get(holder, {"grpc_service", "envoy_grpc", "cluster_name"}),
                                       Get(holder, {"http_service", "server_uri", "cluster"})}) {
      if (name == nullptr || model.clusters.find(TextOf(name)) != model.clusters.end()) continue;
      if (absl::StartsWith(TextOf(name), "outbound|")) continue;  // made by Istio
      report.At(*name);
    }
  }
}

}  // namespace

const std::vector<LintRule>& ClusterRules() {
  static const auto* const kRules = new std::vector<LintRule>{
      {"plaintext-to-gatehouse", Severity::kDanger,
       "tokens go over the network in clear, and whoever sits in between can answer \"allowed\"",
       "transport_socket: {name: envoy.transport_sockets.tls, typed_config: {\"@type\": "
       "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, "
       "common_tls_context: {validation_context: {trusted_ca: {filename: ca.pem}}}}}",
       Plaintext},
      {"tls-unverified", Severity::kDanger,
       "any certificate is taken for Gatehouse's: whoever sits in between can answer \"allowed\"",
       "common_tls_context: {validation_context: {trusted_ca: {filename: ca.pem}}}", TlsUnverified},
      {"tls-any-name", Severity::kWarning,
       "every certificate of that authority is taken for Gatehouse's",
       "match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: gatehouse.example.com}}]",
       TlsAnyName},
      {"no-http2", Severity::kWarning,
       "gRPC needs HTTP/2: no question ever arrives, which is an outage, and with "
       "failure_mode_allow every request passes",
       "typed_extension_protocol_options: "
       "{envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {\"@type\": "
       "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, "
       "explicit_http_config: {http2_protocol_options: {}}}}",
       NoHttp2},
      {"cluster-unseen", Severity::kWarning,
       "the cluster is not in these files, so nothing is known of the way to Gatehouse",
       "give this command the file of the cluster too", ClusterUnseen},
  };
  return *kRules;
}

}  // namespace gatehouse::cli
