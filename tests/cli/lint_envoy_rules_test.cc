#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/cli/lint_envoy_fixture.h"

namespace gatehouse::cli {
namespace {

using ::testing::HasSubstr;

// A change to the good file, and what it must bring.
struct Change {
  const char* name;
  const char* finding;  // "severity: rule"
  const char* from;
  const char* to;
  const char* at;  // stands in the line of the finding
};

class LintEnvoyChangeTest : public LintEnvoyTest, public ::testing::WithParamInterface<Change> {};

TEST_P(LintEnvoyChangeTest, IsFoundInItsLineInBothSpellings) {
  const Change& change = GetParam();
  const std::string bad = Replaced(good_, change.from, change.to);
  const int64_t line = LineOf(bad, change.at);
  for (const std::string& text : {bad, CamelCased(bad)}) {
    const Result result = Lint(text);
    EXPECT_EQ(result.code, 1) << result.err;
    EXPECT_THAT(result.out, HasSubstr(Finding(line, change.finding)));
  }
}

constexpr char kFailureMode[] = "failure_mode_allow: false";
constexpr char kAllButUnderscores[] =
    "allowed_headers: {patterns: [{exact: authorization}, {exact: cookie}, {exact: origin}, "
    "{exact: sec-fetch-site}, {exact: access-control-request-method}, {exact: upgrade}, {exact: "
    "sec-websocket-key}, {exact: x-http-method-override}, {exact: x-http-method}, {exact: "
    "x-method-override}, {exact: x-original-url}, {exact: x-rewrite-url}, {prefix: x-auth-}]}";
constexpr char kManagerLine[] =
    "        typed_config:\n          \"@type\": "
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager";
constexpr char kAuthzLine[] =
    "            typed_config:\n              \"@type\": "
    "type.googleapis.com/envoy.extensions.filters.http.ext_authz";
constexpr char kAuthzName[] = "          - name: envoy.filters.http.ext_authz\n";
constexpr char kRoute[] = "route: {cluster: upstream}\n";
constexpr char kTls[] = "    transport_socket:\n";
constexpr char kAuthzThenLua[] = R"(timeout: 0.2s
          - name: lua
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
              default_source_code: {inline_string: "function envoy_on_request(h) end"}
)";

const Change kChanges[] = {
    {"FailureModeAllow", "danger: failure-mode-allow", kFailureMode, "failure_mode_allow: true",
     "failure_mode_allow"},
    {"FailureModeYes", "danger: failure-mode-allow", kFailureMode, "failure_mode_allow: yes",
     "failure_mode_allow"},
    {"ShadowMode", "danger: shadow-mode", kFailureMode, "shadow_mode: true", "shadow_mode"},
    {"StatusUnset", "warning: status-on-error", "status_on_error: {code: ServiceUnavailable}\n",
     "\n", kAuthzLine},
    {"StatusForbidden", "warning: status-on-error", "code: ServiceUnavailable", "code: Forbidden",
     "Forbidden"},
    {"TimeoutMissing", "warning: timeout-missing",
     "timeout: 0.2s\n          - name: envoy.filters.http.router",
     "\n          - name: envoy.filters.http.router", "grpc_service:"},
    {"TimeoutZero", "danger: timeout-huge", "                timeout: 0.2s",
     "                timeout: 0s", "timeout: 0s"},
    {"TimeoutHuge", "danger: timeout-huge", "                timeout: 0.2s",
     "                timeout: 1.001s", "timeout: 1.001s"},
    {"HttpService", "warning: http-service",
     "grpc_service:\n                envoy_grpc: {cluster_name: gatehouse}\n                "
     "timeout: 0.2s",
     "http_service: {server_uri: {uri: \"http://g\", cluster: gatehouse, timeout: 0.2s}}",
     "http_service"},
    {"HttpServiceTimeout", "danger: timeout-huge",
     "grpc_service:\n                envoy_grpc: {cluster_name: gatehouse}\n                "
     "timeout: 0.2s",
     "http_service: {server_uri: {uri: \"http://g\", cluster: gatehouse, timeout: 9s}}",
     "http_service"},
    {"ApiVersion", "warning: api-version", "transport_api_version: V3", "transport_api_version: V2",
     "transport_api_version"},
    {"ApiVersionUnset", "warning: api-version", "transport_api_version: V3", "", kAuthzLine},
    {"FilterEnabled", "danger: filter-enabled", kFailureMode,
     "filter_enabled: {default_value: {numerator: 99}, runtime_key: a}", "filter_enabled"},
    {"FilterEnabledMillion", "danger: filter-enabled", kFailureMode,
     "filter_enabled: {default_value: {numerator: 100, denominator: MILLION}, runtime_key: a}",
     "filter_enabled"},
    {"FilterEnabledMetadata", "danger: filter-enabled-metadata", kFailureMode,
     "filter_enabled_metadata: {filter: a, path: [{key: b}], value: {present_match: true}}",
     "filter_enabled_metadata"},
    {"DenyAtDisable", "warning: deny-at-disable", kFailureMode,
     "filter_enabled: {default_value: {numerator: 100}, runtime_key: a}", "filter_enabled"},
    {"FilterDisabled", "danger: filter-disabled", kAuthzName,
     "          - name: envoy.filters.http.ext_authz\n            disabled: true\n",
     "disabled: true"},
    {"FilterOptional", "warning: filter-optional", kAuthzName,
     "          - name: envoy.filters.http.ext_authz\n            is_optional: true\n",
     "is_optional"},
    {"BodyTooLarge", "warning: body-too-large", kFailureMode,
     "with_request_body: {max_request_bytes: 65537, pack_as_bytes: true}", "with_request_body"},
    {"BodyTooLargeFailsOpen", "danger: body-too-large", kFailureMode,
     "failure_mode_allow: true\n              with_request_body: {max_request_bytes: 4097, "
     "pack_as_bytes: true}",
     "with_request_body"},
    {"BodyTooLargeOfARouteFailsOpen", "danger: body-too-large", kFailureMode,
     "failure_mode_allow: true\n              x: {typed_per_filter_config: {a: {\"@type\": "
     "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, "
     "check_settings: {with_request_body: {max_request_bytes: 4097, pack_as_bytes: true}}}}}",
     "check_settings"},
    {"BodyPartial", "warning: body-partial", kFailureMode,
     "with_request_body: {max_request_bytes: 1024, allow_partial_message: true, pack_as_bytes: "
     "true}",
     "with_request_body"},
    {"BodyAsText", "warning: body-as-text", kFailureMode,
     "with_request_body: {max_request_bytes: 1024}", "with_request_body"},
    {"BodyFailsOpen", "danger: body-as-text", kFailureMode,
     "failure_mode_allow: true\n              with_request_body: {max_request_bytes: 1024}",
     "with_request_body"},
    {"AllowedHeaders",
     "danger: hidden-headers: Gatehouse does not see cookie, origin, sec-fetch-site, "
     "access-control-request-method, upgrade, sec-websocket-key, x-http-method-override, "
     "x-http-method, x-method-override, x-original-url, x-rewrite-url, x-auth-subject, "
     "x-auth-roles, x-auth-tenant: it decides on another token than",
     kFailureMode, "allowed_headers: {patterns: [{exact: Authorization, ignore_case: true}]}",
     "allowed_headers"},
    {"AllowedHeadersOfOneSpelling",
     "danger: hidden-headers: Gatehouse does not see x_http-method-override, x_http-method, "
     "x_method-override, x_original-url, x_rewrite-url, x_auth-subject, x_auth-roles, "
     "x_auth-tenant: it",
     kFailureMode, kAllButUnderscores, "allowed_headers"},
    {"DisallowedHeaders",
     "danger: hidden-headers: Gatehouse does not see x-http-method-override, x-http-method: it",
     kFailureMode, "disallowed_headers: {patterns: [{prefix: x-http}]}", "disallowed_headers"},
    {"DisallowedSpelling", "danger: hidden-headers: Gatehouse does not see x-auth_roles: it",
     kFailureMode, "disallowed_headers: {patterns: [{exact: x-auth_roles}]}", "disallowed_headers"},
    {"ClearRouteCache", "warning: clear-route-cache", kFailureMode, "clear_route_cache: true",
     "clear_route_cache"},
    {"AnswerRestricted", "warning: answer-restricted", kFailureMode,
     "decoder_header_mutation_rules: {disallow_all: true}", "disallow_all"},
    {"RouterFirst", "danger: ext-authz-late", kAuthzName,
     "          - name: router\n            typed_config: {\"@type\": "
     "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}\n          - name: "
     "envoy.filters.http.ext_authz\n",
     kAuthzName},
    {"LuaBefore", "warning: rewriting-filter", "          http_filters:\n",
     "          http_filters:\n          - name: lua\n            typed_config: {\"@type\": "
     "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua}\n",
     "- name: lua"},
    {"LuaBehind", "warning: rewriting-filter", "timeout: 0.2s\n", kAuthzThenLua, "- name: lua"},
    {"FilterUnseen", "warning: filter-unseen", "          http_filters:\n",
     "          http_filters:\n          - name: elsewhere\n            config_discovery: "
     "{config_source: {path_config_source: {path: a.yaml}}, type_urls: "
     "[type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua]}\n",
     "- name: elsewhere"},
    {"CacheBefore", "danger: cache-before-ext-authz", "          http_filters:\n",
     "          http_filters:\n          - name: cache\n            typed_config: {\"@type\": "
     "type.googleapis.com/envoy.extensions.filters.http.cache.v3.CacheConfig, typed_config: "
     "{\"@type\": "
     "type.googleapis.com/"
     "envoy.extensions.http.cache.simple_http_cache.v3.SimpleHttpCacheConfig}}\n",
     "- name: cache"},
    {"UpgradeFilters", "danger: upgrade-without-ext-authz", "normalize_path: true\n",
     "normalize_path: true\n          upgrade_configs: [{upgrade_type: websocket, filters: [{name: "
     "router, typed_config: {\"@type\": "
     "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}]\n",
     "upgrade_configs"},
    {"NormalizePathUnset", "danger: path-not-normalized", "normalize_path: true\n", "\n",
     kManagerLine},
    {"NormalizePathFalse", "danger: path-not-normalized", "normalize_path: true",
     "normalize_path: false", "normalize_path"},
    {"MergeSlashesUnset", "danger: slashes-not-merged", "merge_slashes: true\n", "\n",
     kManagerLine},
    {"MergeSlashesFalse", "danger: slashes-not-merged", "merge_slashes: true",
     "merge_slashes: false", "merge_slashes"},
    {"EscapedSlashesUnset", "danger: escaped-slashes",
     "path_with_escaped_slashes_action: REJECT_REQUEST\n", "\n", kManagerLine},
    {"EscapedSlashesForward", "danger: escaped-slashes", "_action: REJECT_REQUEST",
     "_action: UNESCAPE_AND_FORWARD", "UNESCAPE_AND_FORWARD"},
    {"EscapedSlashesNumber", "danger: escaped-slashes", "_action: REJECT_REQUEST", "_action: 1",
     "_action: 1"},
    {"UnderscoresUnset", "danger: underscores-in-headers",
     "headers_with_underscores_action: REJECT_REQUEST", "max_headers_count: 100", kManagerLine},
    {"UnderscoresDropped", "warning: underscores-in-headers",
     "headers_with_underscores_action: REJECT_REQUEST",
     "headers_with_underscores_action: DROP_HEADER", "DROP_HEADER"},
    {"CertificateAlways", "danger: client-cert-header", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY",
     "ALWAYS_FORWARD_ONLY"},
    {"CertificateAlwaysInSmallLetters", "danger: client-cert-header", "SANITIZE_SET",
     "always_forward_only", "always_forward_only"},
    {"CertificateAlwaysByNumber", "danger: client-cert-header", "SANITIZE_SET", "4",
     "forward_client_cert_details: 4"},
    {"TimeoutInParts", "danger: timeout-huge: the timeout is more than 1 s",
     "                timeout: 0.2s", "                timeout: {seconds: 1, nanos: 1}",
     "timeout: {seconds"},
    {"CertificateAtEdge", "warning: client-cert-header", "SANITIZE_SET", "APPEND_FORWARD",
     "APPEND_FORWARD"},
    {"RouteDisables", "danger: route-disables-ext-authz", kRoute,
     "route: {cluster: upstream}\n                typed_per_filter_config:\n                  "
     "envoy.filters.http.ext_authz:\n                    \"@type\": "
     "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute\n            "
     "        disabled: true\n",
     "envoy.filters.http.ext_authz:"},
    {"RouteWithoutAListDisables", "danger: route-disables-ext-authz",
     "- match: {prefix: \"/\"}\n                route: {cluster: upstream}\n",
     "  match: {prefix: /}\n                route: {cluster: upstream}\n                "
     "typed_per_filter_config: {envoy.filters.http.ext_authz: {\"@type\": "
     "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: "
     "true}}\n",
     "typed_per_filter_config"},
    {"RouteDisablesFilter", "danger: route-disables-ext-authz", kRoute,
     "route: {cluster: upstream}\n                typed_per_filter_config:\n                  "
     "envoy.filters.http.ext_authz: {\"@type\": "
     "type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}\n",
     "envoy.filters.http.ext_authz: "},
    {"ClusterWeightDisables", "danger: route-disables-ext-authz", kRoute,
     "route: {weighted_clusters: {clusters: [{name: upstream, weight: 1, typed_per_filter_config: "
     "{envoy.filters.http.ext_authz: {\"@type\": "
     "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: "
     "true}}}]}}\n",
     "weighted_clusters"},
    {"HostDisables", "danger: route-disables-ext-authz", "domains: [\"*\"]\n",
     "domains: [\"*\"]\n              typed_per_filter_config: {envoy.filters.http.ext_authz: "
     "{\"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, "
     "disabled: true}}\n",
     "typed_per_filter_config"},
    {"RouteTimeout", "danger: timeout-huge", kRoute,
     "route: {cluster: upstream}\n                typed_per_filter_config: "
     "{envoy.filters.http.ext_authz: {\"@type\": "
     "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, "
     "check_settings: {grpc_service: {envoy_grpc: {cluster_name: gatehouse}, timeout: 5s}}}}\n",
     "timeout: 5s"},
    {"IdentityHeaderKept", "warning: identity-headers-kept: a client's own x-auth-roles are",
     "              - remove: x-auth-roles\n", "", kManagerLine},
    {"IdentityHeaderLost", "warning: identity-headers-lost", "domains: [\"*\"]\n",
     "domains: [\"*\"]\n              request_headers_to_remove: [X-Auth-Subject]\n",
     "request_headers_to_remove"},
    {"PathRewritten", "warning: path-rewritten", kRoute,
     "route: {cluster: upstream, prefix_rewrite: /x}\n", "prefix_rewrite"},
    {"HostRewritten", "warning: host-rewritten", kRoute,
     "route: {cluster: upstream, host_rewrite_literal: admin.internal}\n", "host_rewrite_literal"},
    {"HostRewrittenByPath", "warning: host-rewritten", kRoute,
     "route: {cluster: upstream, host_rewrite_path_regex: {pattern: {regex: x}}}\n",
     "host_rewrite_path_regex"},
    {"HostByHeader", "danger: upstream-by-header: host_rewrite_header", kRoute,
     "route: {cluster: upstream, host_rewrite_header: x-host}\n", "host_rewrite_header"},
    {"ClusterByHeader", "danger: upstream-by-header: cluster_header", kRoute,
     "route: {cluster_header: x-cluster}\n", "cluster_header"},
    {"GrpcPlaintext", "danger: plaintext-to-gatehouse", "envoy_grpc: {cluster_name: gatehouse}",
     "google_grpc: {target_uri: \"10.0.0.7:7070\", stat_prefix: a}", "google_grpc"},
    {"RawBuffer", "danger: plaintext-to-gatehouse", kTls,
     "    transport_socket_matches: [{name: a, match: {b: c}, transport_socket: {name: raw, "
     "typed_config: {\"@type\": "
     "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}}]\n"
     "    transport_socket:\n",
     "transport_socket_matches"},
    {"Untrusted", "danger: tls-unverified", "            trusted_ca: {",
     "            trust_chain_verification: ACCEPT_UNTRUSTED\n            trusted_ca: {",
     "ACCEPT_UNTRUSTED"},
    {"NoAuthority", "danger: tls-unverified",
     "trusted_ca: {filename: /etc/ssl/certs/ca-certificates.crt}\n", "\n",
     "      typed_config:\n        \"@type\": "
     "type.googleapis.com/envoy.extensions.transport_sockets.tls"},
    {"AnyName", "warning: tls-any-name",
     "match_typed_subject_alt_names:\n            - {san_type: DNS, matcher: {exact: "
     "gatehouse.example.com}}",
     "\n", "          validation_context"},
    {"NoHttp2", "warning: no-http2", "explicit_http_config: {http2_protocol_options: {}}",
     "explicit_http_config: {http_protocol_options: {}}", "  - name: gatehouse"},
    {"ClusterUnseen", "warning: cluster-unseen", "cluster_name: gatehouse}",
     "cluster_name: gatehouse2}", "gatehouse2"},
    {"AuthzNowhere", "danger: no-ext-authz",
     "http.ext_authz.v3.ExtAuthz\n              transport_api_version: V3\n              "
     "failure_mode_allow: false\n              status_on_error: {code: ServiceUnavailable}\n       "
     "       grpc_service:\n                envoy_grpc: {cluster_name: gatehouse}\n                "
     "timeout: 0.2s\n",
     "http.cors.v3.Cors\n", kManagerLine},
};

INSTANTIATE_TEST_SUITE_P(Rules, LintEnvoyChangeTest, ::testing::ValuesIn(kChanges),
                         [](const auto& info) { return info.param.name; });

TEST_F(LintEnvoyTest, AListThatHidesNothingThatGatehouseReadsIsNoFinding) {
  for (const char* const list :
       {"allowed_headers: {patterns: [{prefix: a}, {prefix: c}, {exact: origin}, {prefix: sec-}, "
        "{prefix: upgrade}, {prefix: x}]}",
        "disallowed_headers: {patterns: [{prefix: x-request-}, {exact: user-agent}]}"}) {
    const Result result = Lint(Replaced(good_, kFailureMode, list));
    EXPECT_EQ(result.code, 0) << result.out;
  }
}

}  // namespace
}  // namespace gatehouse::cli
