#include "client/cli/lint_envoy_model.h"

#include <algorithm>
#include <array>
#include <deque>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"

namespace gatehouse::cli {
namespace {

constexpr absl::string_view kManager =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
constexpr absl::string_view kNetworkAuthz =
    "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz";
constexpr absl::string_view kAuthzPerRoute =
    "envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute";
constexpr absl::string_view kFilterConfig = "envoy.config.route.v3.FilterConfig";
constexpr absl::string_view kWithMatcher =
    "envoy.extensions.common.matching.v3.ExtensionWithMatcher";

constexpr absl::string_view kComposite = "envoy.extensions.filters.http.composite.v3.";

bool IsLoopback(const LintNode* address) {
  const absl::string_view host = TextOf(Get(address, {"socket_address", "address"}));
  return absl::StartsWith(host, "127.") || host == "::1" || Get(address, "pipe") != nullptr ||
         Get(address, "envoy_internal_address") != nullptr;
}

bool IsCluster(const LintNode& node) {
  if (TypedOf(&node).type == "envoy.config.cluster.v3.Cluster") return true;
  if (Get(&node, "load_assignment") != nullptr) return true;
  constexpr std::array<absl::string_view, 5> kFields = {"connect_timeout", "lb_policy",
                                                        "eds_cluster_config", "cluster_type",
                                                        "typed_extension_protocol_options"};
  return Get(&node, "name") != nullptr &&
         std::any_of(kFields.begin(), kFields.end(),
                     [&](absl::string_view field) { return Get(&node, field) != nullptr; });
}

Chain::Filter FilterOf(const LintNode& node) {
  Chain::Filter filter;
  filter.node = &node;
  filter.typed = TypedOf(Get(&node, "typed_config"));
  if (filter.typed.type == kWithMatcher) {
    filter.typed = TypedOf(Get(filter.typed.config, {"extension_config", "typed_config"}));
  }
  filter.authz =
      IsAuthz(filter.typed.type) ||
      (filter.typed.type.empty() && absl::StrContains(TextOf(Get(&node, "name")), "ext_authz"));
  return filter;
}

class Collector {
 public:
  Collector(LintModel& model, std::deque<std::vector<LintNode>>& documents)
      : model_(model), documents_(documents) {}

  // What surrounds a piece.
  struct Around {
    const LintNode* parent = nullptr;
    bool partial = false;
    bool edge = true;
    bool matched = false;
  };

  absl::Status Walk(const LintNode& node, Around around) {
    if (node.kind == LintNode::Kind::kMapping) {
      GH_RETURN_IF_ERROR(Resource(node, around));
      if (TextOf(Get(&node, "kind")) == "EnvoyFilter") return Patches(node);
      Envoy(node, around);
      Istio(node);
    }
    around.parent = &node;
    for (const LintNode& value : node.values) GH_RETURN_IF_ERROR(Walk(value, around));
    return absl::OkStatus();
  }

 private:
  void Recognise(const LintNode& node) { ++model_.recognised[static_cast<size_t>(node.file)]; }

  void Envoy(const LintNode& node, Around& around) {
    const TypedConfig typed = TypedOf(&node);
    around.matched |= typed.type == kWithMatcher || absl::StartsWith(typed.type, kComposite);
    if (IsAuthz(typed.type) || typed.type == kNetworkAuthz) {
      Recognise(node);
      AuthzFilter filter;
      filter.config = typed.config == nullptr ? &node : typed.config;
      filter.holder = Get(around.parent, "typed_config") == &node ? around.parent : nullptr;
      filter.partial = around.partial;
      filter.network = typed.type == kNetworkAuthz;
      filter.matched = around.matched;
      model_.authz.push_back(filter);
    }
    if (typed.type == kManager || Get(&node, "http_filters") != nullptr) {
      AddChain(typed.type == kManager && typed.config != nullptr ? *typed.config : node, around);
    }
    if (Get(&node, "virtual_hosts") != nullptr) {
      Recognise(node);
      model_.route_configs.push_back(&node);
    }
    if (Get(&node, "filter_chains") != nullptr || Get(&node, "default_filter_chain") != nullptr ||
        Get(&node, "api_listener") != nullptr) {
      Recognise(node);
      ++model_.listeners;
      around.edge = !IsLoopback(Get(&node, "address"));
    }
    if (IsCluster(node)) {
      Recognise(node);
      model_.clusters.emplace(TextOf(Get(&node, "name")), &node);
    }
    const LintNode* const per_filter = Get(&node, "typed_per_filter_config");
    if (per_filter != nullptr) {
      Recognise(node);
      model_.per_filter.push_back(per_filter);
    }
  }

  void AddChain(const LintNode& config, const Around& around) {
    if (std::any_of(model_.chains.begin(), model_.chains.end(),
                    [&](const Chain& chain) { return chain.config == &config; })) {
      return;  // found by its type, and now by its fields
    }
    Recognise(config);
    Chain chain;
    chain.config = &config;
    chain.partial = around.partial;
    chain.edge = around.edge;
    for (const LintNode& filter : Items(Get(&config, "http_filters"))) {
      chain.filters.push_back(FilterOf(filter));
      if (chain.filters.back().authz && chain.authz < 0) {
        chain.authz = static_cast<int>(chain.filters.size()) - 1;
      }
    }
    model_.chains.push_back(std::move(chain));
  }

  void Istio(const LintNode& node) {
    const LintNode* const providers = Get(&node, "extension_providers");
    if (providers == nullptr) return;
    Recognise(node);
    model_.meshes.push_back(&node);
    for (const LintNode& provider : Items(providers)) {
      for (const bool http : {false, true}) {
        const LintNode* const found =
            Get(&provider, http ? "envoy_ext_authz_http" : "envoy_ext_authz_grpc");
        if (found == nullptr) continue;
        Provider added;
        added.node = found;
        added.name = std::string(TextOf(Get(&provider, "name")));
        added.http = http;
        model_.providers.push_back(std::move(added));
      }
    }
  }

  // A resource of Kubernetes.
  absl::Status Resource(const LintNode& node, const Around& around) {
    const absl::string_view kind = TextOf(Get(&node, "kind"));
    if (kind.empty() || Get(&node, "apiVersion") == nullptr) return absl::OkStatus();
    const LintNode* const spec = Get(&node, "spec");
    if (kind == "AuthorizationPolicy") {
      Recognise(node);
      if (IsEnum(Get(spec, "action"), "CUSTOM", 3)) model_.custom_policies.push_back(&node);
    } else if (kind == "PeerAuthentication") {
      Recognise(node);
      model_.peer_authentications.push_back(&node);
    } else if (kind == "SecurityPolicy") {
      Recognise(node);
      const LintNode* const authz = Get(spec, "ext_auth");
      if (authz == nullptr) return absl::OkStatus();
      Provider provider;
      provider.node = authz;
      provider.http = Get(authz, "http") != nullptr;
      provider.gateway = true;
      model_.providers.push_back(std::move(provider));
    } else if (kind == "ConfigMap" && Get(&node, {"data", "mesh"}) != nullptr) {
      return MeshText(*Get(&node, {"data", "mesh"}), around);
    }
    return absl::OkStatus();
  }

  // The MeshConfig that stands as a text in a ConfigMap.
  absl::Status MeshText(const LintNode& text, const Around& around) {
    Recognise(text);
    auto parsed = ParseLintYaml(text.text, text.file, model_.files[static_cast<size_t>(text.file)],
                                text.block ? text.line + 1 : text.line);
    GH_RETURN_IF_ERROR(parsed.status());
    documents_.push_back(*std::move(parsed));
    for (const LintNode& document : documents_.back()) {
      GH_RETURN_IF_ERROR(Walk(document, around));
    }
    return absl::OkStatus();
  }

  absl::Status Patches(const LintNode& node) {
    Recognise(node);
    for (const LintNode& patch : Items(Get(&node, {"spec", "config_patches"}))) {
      model_.filter_patches.push_back(&patch);
      const LintNode* const value = Get(&patch, {"patch", "value"});
      if (value == nullptr) continue;
      Around around;
      around.partial = IsEnum(Get(&patch, {"patch", "operation"}), "MERGE", 1);
      around.parent = Get(&patch, "patch");
      GH_RETURN_IF_ERROR(Walk(*value, around));
    }
    return absl::OkStatus();
  }

  LintModel& model_;
  std::deque<std::vector<LintNode>>& documents_;
};

void AddClusterOf(const LintNode* service, LintModel& model) {
  const absl::string_view grpc =
      TextOf(Get(service, {"grpc_service", "envoy_grpc", "cluster_name"}));
  const absl::string_view http = TextOf(Get(service, {"http_service", "server_uri", "cluster"}));
  for (const absl::string_view name : {grpc, http}) {
    if (!name.empty()) model.authz_clusters.emplace(name);
  }
}

}  // namespace

bool IsAuthz(absl::string_view type) {
  return type == "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz" ||
         type == "envoy.config.filter.http.ext_authz.v2.ExtAuthz";
}

bool TurnsOff(const LintModel& model, absl::string_view name, const LintNode& setting) {
  const TypedConfig typed = TypedOf(&setting);
  if (typed.type == kAuthzPerRoute) return IsTrue(Get(typed.config, "disabled"));
  if (typed.type != kFilterConfig) return false;
  const LintNode* const inner = Get(typed.config, "config");
  if (inner != nullptr && TurnsOff(model, name, *inner)) return true;
  return IsTrue(Get(typed.config, "disabled")) &&
         (model.authz_names.contains(name) || absl::StrContains(name, "ext_authz") ||
          TypedOf(inner).type == kAuthzPerRoute);
}

bool TurnsAuthzOff(const LintModel& model, const LintNode* per_filter) {
  if (per_filter == nullptr) return false;
  for (size_t i = 0; i < per_filter->keys.size(); ++i) {
    if (TurnsOff(model, per_filter->keys[i], per_filter->values[i])) return true;
  }
  return false;
}

std::vector<const LintNode*> ServiceHolders(const LintModel& model) {
  std::vector<const LintNode*> holders;
  holders.reserve(model.authz.size());
  for (const AuthzFilter& filter : model.authz) holders.push_back(filter.config);
  for (const LintNode* const settings : model.per_filter) {
    for (const LintNode& setting : settings->values) {
      const LintNode* const check = Get(TypedOf(&setting).config, "check_settings");
      if (check != nullptr) holders.push_back(check);
    }
  }
  return holders;
}

absl::Status LintModel::Add(const std::string& name, absl::string_view yaml) {
  const int file = static_cast<int>(files.size());
  files.push_back(name);
  recognised.push_back(0);
  auto parsed = ParseLintYaml(yaml, file, name);
  GH_RETURN_IF_ERROR(parsed.status());
  documents.push_back(*std::move(parsed));
  Collector collector(*this, documents);
  const std::vector<LintNode>& added = documents.back();
  for (const LintNode& document : added) {
    GH_RETURN_IF_ERROR(collector.Walk(document, {}));
  }
  if (recognised.back() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(name,
                     ":1: nothing of Envoy, Istio or Envoy Gateway is recognised in this "
                     "file, so nothing is known of it"));
  }
  return absl::OkStatus();
}

void LintModel::Connect() {
  for (const AuthzFilter& filter : authz) {
    if (filter.holder != nullptr) authz_names.emplace(TextOf(Get(filter.holder, "name")));
  }
  for (const LintNode* const holder : ServiceHolders(*this)) AddClusterOf(holder, *this);
  for (Chain& chain : chains) {
    chain.routes = Get(chain.config, "route_config");
    const absl::string_view name = TextOf(Get(chain.config, {"rds", "route_config_name"}));
    for (const LintNode* const routes : route_configs) {
      if (chain.routes == nullptr && !name.empty() && TextOf(Get(routes, "name")) == name) {
        chain.routes = routes;
      }
    }
    for (const Chain::Filter& filter : chain.filters) {
      if (filter.authz) authz_names.emplace(TextOf(Get(filter.node, "name")));
    }
  }
}

}  // namespace gatehouse::cli
