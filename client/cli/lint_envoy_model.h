#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/lint_envoy_tree.h"

// What the files of a proxy or mesh hold that concerns an authorization, found wherever
// it stands: in a bootstrap, a bare listener, an answer of a control plane, a mesh's patch.
namespace gatehouse::cli {

// An ext_authz filter. All ext_authz is taken to ask Gatehouse.
struct AuthzFilter {
  const LintNode* config = nullptr;
  const LintNode* holder = nullptr;  // with name and typed_config; null if unknown
  bool partial = false;              // a patch: what it leaves out is set elsewhere
  bool network = false;              // of connections, not of requests
  bool matched = false;              // runs only where a matcher says so
};

// An HTTP connection manager.
struct Chain {
  struct Filter {
    const LintNode* node = nullptr;
    TypedConfig typed;
    bool authz = false;  // is ext_authz, or says so by its name
  };

  const LintNode* config = nullptr;
  bool partial = false;
  bool edge = true;  // clients beyond this machine may reach it
  std::vector<Filter> filters;
  int authz = -1;                    // which of them is the first ext_authz
  const LintNode* routes = nullptr;  // its route configuration, if it is in the files
};

// Istio's or Envoy Gateway's way to name an authorization service.
struct Provider {
  const LintNode* node = nullptr;
  std::string name;  // Istio's
  bool http = false;
  bool gateway = false;  // Envoy Gateway's, else Istio's
};

struct LintModel {
  std::deque<std::vector<LintNode>> documents;  // never moved: all else points into them
  std::vector<std::string> files;
  std::vector<int> recognised;  // how much of each file was understood

  int listeners = 0;
  std::vector<AuthzFilter> authz;
  std::vector<Chain> chains;
  std::vector<const LintNode*> route_configs;
  std::vector<const LintNode*> per_filter;      // typed_per_filter_config
  std::vector<const LintNode*> filter_patches;  // EnvoyFilter's configPatches
  std::multimap<std::string, const LintNode*, std::less<>> clusters;
  std::vector<Provider> providers;
  std::vector<const LintNode*> meshes;
  std::vector<const LintNode*> custom_policies;
  std::vector<const LintNode*> peer_authentications;

  // The names of ext_authz filters and of the clusters that they ask.
  std::set<std::string, std::less<>> authz_names;
  std::set<std::string, std::less<>> authz_clusters;

  // Adds what stands in a file. INVALID_ARGUMENT if it cannot be read.
  absl::Status Add(const std::string& name, absl::string_view yaml);
  // Once all files are in.
  void Connect();

  // Whether anything asks for an authorization.
  bool Asks() const { return !authz.empty() || !providers.empty() || !custom_policies.empty(); }
};

// The message of an ext_authz filter, for requests.
bool IsAuthz(absl::string_view type);
// A setting for one route that turns the filter `name` off.
bool TurnsOff(const LintModel& model, absl::string_view name, const LintNode& setting);
// Whether one of a typed_per_filter_config does so with ext_authz.
bool TurnsAuthzOff(const LintModel& model, const LintNode* per_filter);

// The grpc_service and http_service of filters, and of routes that name others, each
// with what holds it.
std::vector<const LintNode*> ServiceHolders(const LintModel& model);

// Calls `visit(node)` for the node and all below it.
template <typename Visit>
void VisitAll(const LintNode& node, const Visit& visit) {
  visit(node);
  for (const LintNode& value : node.values) VisitAll(value, visit);
}

}  // namespace gatehouse::cli
