#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/cli/lint_envoy_fixture.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class LintMeshTest : public LintEnvoyTest {
 protected:
  const std::string mesh_ = Testdata("mesh.yaml");
  const std::string gateway_ = Testdata("gateway.yaml");
  const std::string patch_ = Testdata("patch.yaml");
};

TEST_F(LintMeshTest, GoodFilesHaveNoFinding) {
  const Result mesh = Lint(mesh_);
  EXPECT_EQ(mesh.code, 0) << mesh.out << mesh.err;
  EXPECT_EQ(mesh.out, "looked at 1 file, 1 Istio provider, 1 CUSTOM policy\nnothing found\n");
  const Result gateway = Lint(gateway_);
  EXPECT_EQ(gateway.code, 0) << gateway.out << gateway.err;
  EXPECT_THAT(gateway.out, HasSubstr("1 SecurityPolicy with extAuth"));
  const Result patch = Lint(patch_);
  EXPECT_EQ(patch.code, 0) << patch.out << patch.err;
}

struct MeshChange {
  const char* name;
  const char* finding;
  const char* from;
  const char* to;
  const char* at;
};

class LintMeshChangeTest : public LintMeshTest, public ::testing::WithParamInterface<MeshChange> {
 protected:
  void ExpectFound(const std::string& good) {
    const std::string bad = Replaced(good, GetParam().from, GetParam().to);
    const Result result = Lint(bad);
    EXPECT_EQ(result.code, 1) << result.err;
    EXPECT_THAT(result.out, HasSubstr(Finding(LineOf(bad, GetParam().at), GetParam().finding)));
  }
};

TEST_P(LintMeshChangeTest, IsFoundInItsLine) { ExpectFound(mesh_); }

constexpr char kMode[] = "mtls: {mode: STRICT}";
const MeshChange kMeshChanges[] = {
    {"FailOpen", "danger: failure-mode-allow", "failOpen: false", "failOpen: true", "failOpen"},
    {"Status", "warning: status-on-error", "statusOnError: \"503\"", "statusOnError: \"403\"",
     "statusOnError"},
    {"StatusUnset", "warning: status-on-error", "        statusOnError: \"503\"\n", "",
     "envoyExtAuthzGrpc"},
    {"TimeoutUnset", "danger: timeout-missing: no timeout is given: Istio waits 10 minutes",
     "        timeout: 0.2s\n", "", "envoyExtAuthzGrpc"},
    {"TimeoutHuge", "danger: timeout-huge", "timeout: 0.2s", "timeout: 600s", "timeout: 600s"},
    {"Http", "warning: http-service", "envoyExtAuthzGrpc", "envoyExtAuthzHttp",
     "envoyExtAuthzHttp"},
    {"Body", "warning: body-partial", "failOpen: false",
     "includeRequestBodyInCheck: {maxRequestBytes: 9, allowPartialMessage: true, packAsBytes: "
     "true}",
     "includeRequestBodyInCheck"},
    {"BodyTooLarge", "warning: body-too-large", "failOpen: false",
     "includeRequestBodyInCheck: {maxRequestBytes: 65537, packAsBytes: true}",
     "includeRequestBodyInCheck"},
    {"RouteCache", "warning: clear-route-cache", "failOpen: false", "clearRouteCache: true",
     "clearRouteCache"},
    {"PathsUnset", "warning: mesh-paths", "normalization: MERGE_SLASHES", "normalization: BASE",
     "normalization: BASE"},
    {"PathsRaw", "danger: mesh-paths", "normalization: MERGE_SLASHES", "normalization: NONE",
     "normalization: NONE"},
    {"Certificate", "danger: client-cert-header", "    extensionProviders:\n",
     "    defaultConfig: {gatewayTopology: {forwardClientCertDetails: ALWAYS_FORWARD_ONLY}}\n"
     "    extensionProviders:\n",
     "defaultConfig"},
    {"NoRules", "danger: policy-without-rules", "  rules: [{}]\n", "", "apiVersion: security"},
    {"EmptyRules", "danger: policy-without-rules", "rules: [{}]", "rules: []", "rules: []"},
    {"PartialRules", "warning: policy-partial", "rules: [{}]",
     "rules: [{to: [{operation: {notPaths: [/public/*]}}]}]", "rules: [{to"},
    {"Provider", "warning: policy-provider", "provider: {name: gatehouse}",
     "provider: {name: gateway}", "provider: {name: gateway}"},
    {"Peers", "warning: peers-in-plaintext", kMode, "mtls: {mode: PERMISSIVE}", "PERMISSIVE"},
    {"PeersOfAPort", "warning: peers-in-plaintext", kMode,
     "mtls: {mode: STRICT}\n  portLevelMtls: {7070: {mode: DISABLE}}", "DISABLE"},
};
INSTANTIATE_TEST_SUITE_P(Rules, LintMeshChangeTest, ::testing::ValuesIn(kMeshChanges),
                         [](const auto& info) { return info.param.name; });

class LintGatewayTest : public LintMeshChangeTest {};

TEST_P(LintGatewayTest, IsFoundInItsLine) { ExpectFound(gateway_); }

const MeshChange kGatewayChanges[] = {
    {"FailOpen", "danger: failure-mode-allow", "failOpen: false", "failOpen: true", "failOpen"},
    {"TimeoutUnset", "danger: timeout-missing: no timeout is given: Envoy Gateway waits 10 seconds",
     "    timeout: 200ms\n", "", "extAuth:"},
    {"TimeoutHuge", "danger: timeout-huge", "200ms", "1m", "timeout: 1m"},
    {"Http", "warning: http-service", "    grpc:\n", "    http:\n", "extAuth:"},
    {"Headers", "danger: hidden-headers", "failOpen: false",
     "headersToExtAuth: [authorization, cookie]", "headersToExtAuth"},
    {"Body", "warning: body-too-large", "failOpen: false",
     "bodyToExtAuth: {maxRequestBytes: 65537}", "bodyToExtAuth"},
    {"RouteCache", "warning: clear-route-cache", "failOpen: false", "recomputeRoute: true",
     "recomputeRoute"},
};
INSTANTIATE_TEST_SUITE_P(Rules, LintGatewayTest, ::testing::ValuesIn(kGatewayChanges),
                         [](const auto& info) { return info.param.name; });

class LintPatchTest : public LintMeshChangeTest {};

TEST_P(LintPatchTest, IsFoundInItsLine) { ExpectFound(patch_); }

const MeshChange kPatchChanges[] = {
    {"FailureModeAllow", "danger: failure-mode-allow", "transport_api_version: V3",
     "failure_mode_allow: true", "failure_mode_allow"},
    {"StatusUnset", "warning: status-on-error", "status_on_error: {code: ServiceUnavailable}", "",
     "        typed_config:"},
    {"Disabled", "danger: filter-disabled", "name: envoy.filters.http.ext_authz\n",
     "name: envoy.filters.http.ext_authz\n        disabled: true\n", "disabled: true"},
    {"MergedOptions", "danger: slashes-not-merged", "merge_slashes: true", "mergeSlashes: false",
     "mergeSlashes"},
    {"Route", "danger: route-disables-ext-authz", "merge_slashes: true\n",
     "merge_slashes: true\n  - applyTo: HTTP_ROUTE\n    patch: {operation: MERGE, value: "
     "{typed_per_filter_config: {envoy.filters.http.ext_authz: {\"@type\": "
     "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: "
     "true}}}}\n",
     "typed_per_filter_config"},
    {"Removed", "danger: ext-authz-removed", "  - applyTo: NETWORK_FILTER\n",
     "  - applyTo: HTTP_FILTER\n    match: {listener: {filterChain: {filter: {subFilter: {name: "
     "envoy.filters.http.ext_authz}}}}}\n    patch: {operation: REMOVE}\n"
     "  - applyTo: NETWORK_FILTER\n",
     "patch: {operation: REMOVE}"},
};
INSTANTIATE_TEST_SUITE_P(Rules, LintPatchTest, ::testing::ValuesIn(kPatchChanges),
                         [](const auto& info) { return info.param.name; });

TEST_F(LintMeshTest, ABodyThatFitsBesideTheHeadersIsNoFinding) {
  const auto lint = [&](const std::string& fail_open, int bytes) {
    return Lint(Replaced(mesh_, "failOpen: false",
                         absl::StrCat(fail_open,
                                      "\n        includeRequestBodyInCheck: "
                                      "{maxRequestBytes: ",
                                      bytes, ", packAsBytes: true}")))
        .out;
  };
  EXPECT_THAT(lint("failOpen: false", 65536), HasSubstr("nothing found"));
  EXPECT_THAT(lint("failOpen: true", 4096), Not(HasSubstr("body-too-large")));
  EXPECT_THAT(lint("failOpen: true", 4097), HasSubstr("danger: body-too-large"));
}

TEST_F(LintMeshTest, APatchThatIsMergedLeavesTheRestToOthers) {
  const Result result = Lint(Replaced(patch_, "operation: INSERT_FIRST", "operation: MERGE"));
  EXPECT_EQ(result.code, 0) << result.out;
}

TEST_F(LintMeshTest, TheOperatorsMeshConfigIsRead) {
  const Result result = Lint(R"(apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec:
  meshConfig:
    pathNormalization: {normalization: MERGE_SLASHES}
    extensionProviders:
    - name: gatehouse
      envoyExtAuthzGrpc: {service: gatehouse.auth, port: 7070, timeout: 0.1s, failOpen: true, statusOnError: "503"}
)");
  EXPECT_EQ(result.code, 1) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr(Finding(8, "danger: failure-mode-allow")),
                                HasSubstr("\n1 danger, 0 warnings\n")));
}

TEST_F(LintMeshTest, AByteOrderMarkOtherLettersAndLineEndsMoveNoLine) {
  const std::string bad = Replaced(mesh_, "failOpen: false", "failOpen: true");
  const int64_t line = LineOf(bad, "failOpen");
  EXPECT_THAT(Lint("\xEF\xBB\xBF" + bad).out,
              HasSubstr(Finding(line, "danger: failure-mode-allow")));
  EXPECT_THAT(Lint("# \u00e9\u20ac\u00e9\n" + bad).out,
              HasSubstr(Finding(line + 1, "danger: failure-mode-allow")));
  EXPECT_THAT(Lint(absl::StrReplaceAll(bad, {{"\n", "\r\n"}})).out,
              HasSubstr(Finding(line, "danger: failure-mode-allow")));
}

TEST_F(LintMeshTest, ABrokenMeshTextIsExitCode2WithItsLine) {
  const std::string bad = Replaced(mesh_, "        port: 7070\n", "        port: [7070\n");
  const Result result = Lint(bad);
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("envoy.yaml:1"));
  const Result twice = Lint(Replaced(mesh_, "port: 7070", "service: b"));
  EXPECT_THAT(twice.err, HasSubstr("envoy.yaml:12: the field service is given twice"));
}

TEST_F(LintMeshTest, PeersDoNotMatterWithoutAnAuthorization) {
  const Result result =
      LintFiles({Write("peers.yaml",
                       "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nspec: {mtls: "
                       "{mode: PERMISSIVE}}\n")});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, Not(HasSubstr("peers-in-plaintext")));
}

}  // namespace
}  // namespace gatehouse::cli
