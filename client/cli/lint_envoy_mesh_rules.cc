#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/lint_envoy_rules.h"

// Rules on Istio's own resources.
namespace gatehouse::cli {
namespace {

void PolicyWithoutRules(const LintModel& model, const LintReport& report) {
  for (const LintNode* const policy : model.custom_policies) {
    const LintNode* const rules = Get(policy, {"spec", "rules"});
    if (Items(rules).empty()) report.At(rules == nullptr ? *policy : *rules);
  }
}

void PolicyPartial(const LintModel& model, const LintReport& report) {
  for (const LintNode* const policy : model.custom_policies) {
    const LintNode* const rules = Get(policy, {"spec", "rules"});
    const auto items = Items(rules);
    if (items.empty()) continue;
    const bool all = std::any_of(items.begin(), items.end(), [](const LintNode& rule) {
      return Items(Get(&rule, "from")).empty() && Items(Get(&rule, "to")).empty() &&
             Items(Get(&rule, "when")).empty();
    });
    if (!all) report.At(*rules);
  }
}

void PolicyProvider(const LintModel& model, const LintReport& report) {
  if (model.meshes.empty()) return;
  for (const LintNode* const policy : model.custom_policies) {
    const LintNode* const name = Get(policy, {"spec", "provider", "name"});
    const bool known =
        std::any_of(model.providers.begin(), model.providers.end(), [&](const Provider& provider) {
          return !provider.gateway && provider.name == TextOf(name);
        });
    if (!known) report.At(name == nullptr ? *policy : *name);
  }
}

void MeshPaths(const LintModel& model, const LintReport& report) {
  if (!std::any_of(model.providers.begin(), model.providers.end(),
                   [](const Provider& provider) { return !provider.gateway; })) {
    return;
  }
  for (const LintNode* const mesh : model.meshes) {
    const LintNode* const how = Get(mesh, {"path_normalization", "normalization"});
    if (IsEnum(how, "MERGE_SLASHES", 3) || IsEnum(how, "DECODE_AND_MERGE_SLASHES", 4)) continue;
    if (IsEnum(how, "NONE", 1)) {
      report.At(*how, "as they are written", Severity::kDanger);
    } else {
      report.At(how == nullptr ? *mesh : *how, "without merging slashes");
    }
  }
}

void PeersInPlaintext(const LintModel& model, const LintReport& report) {
  if (!model.Asks()) return;
  for (const LintNode* const peers : model.peer_authentications) {
    VisitAll(*peers, [&](const LintNode& node) {
      const LintNode* const mode = Get(&node, "mode");
      if (IsEnum(mode, "DISABLE", 1) || IsEnum(mode, "PERMISSIVE", 2)) report.At(*mode);
    });
  }
}

void FilterRemoved(const LintModel& model, const LintReport& report) {
  for (const LintNode* const patch : model.filter_patches) {
    const LintNode* const operation = Get(patch, {"patch", "operation"});
    if (!IsEnum(operation, "REMOVE", 3)) continue;
    bool authz = false;
    VisitAll(*patch, [&](const LintNode& node) {
      authz |= absl::StrContains(TextOf(Get(&node, "name")), "ext_authz");
    });
    if (authz) report.At(*operation);
  }
}

}  // namespace

const std::vector<LintRule>& MeshRules() {
  static const auto* const kRules = new std::vector<LintRule>{
      {"policy-without-rules", Severity::kDanger,
       "a CUSTOM policy without rules matches no request: nothing is asked, all pass",
       "rules: [{}]", PolicyWithoutRules},
      {"policy-partial", Severity::kWarning,
       "only requests that these rules match are asked about; all others pass, also those that "
       "spell their path otherwise",
       "rules: [{}]   # and a route with `public: true` in Gatehouse for what all may see",
       PolicyPartial},
      {"policy-provider", Severity::kWarning,
       "the provider that this policy names is in none of these files: Istio refuses all of its "
       "requests, or nothing is known of the provider",
       "provider: {name: NAME}, as in the mesh's extensionProviders", PolicyProvider},
      {"mesh-paths", Severity::kWarning,
       "the mesh matches paths $0: another spelling of a path walks around a rule",
       "pathNormalization: {normalization: MERGE_SLASHES}", MeshPaths},
      {"peers-in-plaintext", Severity::kWarning,
       "peers need no certificate: the way to Gatehouse may be in clear, and whoever reaches a "
       "pod past its gateway sends no principal",
       "mtls: {mode: STRICT}", PeersInPlaintext},
      {"ext-authz-removed", Severity::kDanger,
       "this patch takes the authorization out: every request passes unasked",
       "leave the patch out", FilterRemoved},
  };
  return *kRules;
}

}  // namespace gatehouse::cli
