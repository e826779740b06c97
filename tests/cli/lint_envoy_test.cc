#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/cli/lint_envoy_fixture.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(LintEnvoyTest, AGoodFileHasNoFindingAndSaysWhatWasLookedAt) {
  const Result result = Lint(good_);
  EXPECT_EQ(result.code, 0) << result.out << result.err;
  EXPECT_EQ(result.out,
            "looked at 1 file, 1 listener, 1 HTTP connection manager, 1 ext_authz filter, 1 route "
            "configuration, 1 cluster to Gatehouse\nnothing found\n");
}

TEST_F(LintEnvoyTest, TheSameInCamelCaseHasNoFinding) {
  const Result result = Lint(CamelCased(good_));
  EXPECT_EQ(result.code, 0) << result.out << result.err;
}

TEST_F(LintEnvoyTest, AFindingNamesLineDangerAndMend) {
  const Result result =
      Lint(Replaced(good_, "failure_mode_allow: false", "failure_mode_allow: true"));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("Gatehouse is stopped, Gatehouse timed out, or the request's body is "
                              "over Gatehouse's receive limit"),
                    HasSubstr("\n    write: failure_mode_allow: false"),
                    HasSubstr("\n1 danger, 0 warnings\n")));
}

TEST_F(LintEnvoyTest, JsonIsALineForEachFindingAndOneForAll) {
  const std::string bad = Replaced(good_, "merge_slashes: true", "merge_slashes: false");
  const Result result = LintFiles({Write("envoy.yaml", bad), "--json"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out,
              AllOf(StartsWith(absl::StrCat(R"({"file":")", (folder_ / "envoy.yaml").string(),
                                            R"(","line":)", LineOf(bad, "merge_slashes"),
                                            R"(,"severity":"danger","rule":"slashes-not-merged",)"
                                            R"("danger":")")),
                    HasSubstr(R"("mend":"merge_slashes: true"})"
                              "\n"
                              R"({"dangers":1,"warnings":0,"files":1,"listeners":1,)"
                              R"("connection_managers":1,"ext_authz_filters":1,)")));
  EXPECT_EQ(LintFiles({folder_ / "envoy.yaml", "--output", "json"}).out, result.out);
}

TEST_F(LintEnvoyTest, ConfigurationInJsonIsRead) {
  const Result result = Lint(R"({"static_resources": {"listeners": [{"filterChains": [{"filters": [{
    "name": "m", "typedConfig": {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      "httpFilters": [{"name": "authz", "typedConfig": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "failureModeAllow": true}}]}}]}]}]}})",
                             "envoy.json");
  EXPECT_EQ(result.code, 1) << result.err;
  EXPECT_THAT(result.out, HasSubstr(Finding(6, "danger: failure-mode-allow", "envoy.json")));
}

TEST_F(LintEnvoyTest, SeveralFilesAndDocumentsAreOneWhole) {
  const size_t at = good_.find("  clusters:\n");
  const std::string listeners = Write("listeners.yaml", good_.substr(0, at));
  const std::string clusters = Write(
      "clusters.yaml", absl::StrCat("# nothing\n---\n---\nstatic_resources:\n", good_.substr(at)));
  EXPECT_THAT(LintFiles({listeners}).out, HasSubstr("cluster-unseen"));
  const Result result = LintFiles({listeners, clusters});
  EXPECT_EQ(result.code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("looked at 2 files, "));
}

TEST_F(LintEnvoyTest, AFindingInALaterFileAndDocumentHasItsOwnLine) {
  const size_t at = good_.find("  clusters:\n");
  const std::string clusters =
      absl::StrCat("a: 1\n---\nstatic_resources:\n",
                   Replaced(good_.substr(at), "http2_protocol_options", "http_protocol_options"));
  const Result result =
      LintFiles({Write("a.yaml", good_.substr(0, at)), Write("b.yaml", clusters)});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, HasSubstr(Finding(LineOf(clusters, "- name: gatehouse"),
                                            "warning: no-http2", "b.yaml")));
}

constexpr char kRoutes[] = R"(resources:
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: elsewhere
  virtual_hosts:
  - name: all
    domains: ["*"]
    routes:
    - match: {prefix: /}
      route: {cluster: upstream}
      typed_per_filter_config:
        envoy.filters.http.ext_authz:
          "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
          disabled: true
)";

TEST_F(LintEnvoyTest, RoutesOfAnotherFileAreFollowed) {
  const size_t begin = good_.find("          route_config:\n");
  const size_t end = good_.find("          http_filters:\n");
  const std::string listeners = Write(
      "l.yaml",
      absl::StrCat(good_.substr(0, begin),
                   "          rds: {route_config_name: elsewhere, config_source: {ads: {}}}\n",
                   good_.substr(end)));
  EXPECT_THAT(LintFiles({listeners}).out, HasSubstr("warning: routes-unseen"));
  const Result result = LintFiles({listeners, Write("r.yaml", kRoutes)});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr(Finding(11, "danger: route-disables-ext-authz", "r.yaml")),
                    Not(HasSubstr("routes-unseen"))));
}

TEST_F(LintEnvoyTest, AManagerWithoutExtAuthzBesideOneWithItIsFound) {
  const std::string bad = Replaced(good_, "  clusters:\n", R"(  - name: other
    address: {socket_address: {address: 0.0.0.0, port_value: 18082}}
    filter_chains:
    - filters:
      - name: m
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: other
          route_config: {virtual_hosts: [{name: a, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: upstream}}]}]}
          http_filters:
          - name: jwt
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
              rules: [{match: {prefix: /}, requires: {allow_missing_or_failed: {}}}]
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
)");
  const Result result = Lint(bad);
  EXPECT_THAT(result.out, HasSubstr(Finding(LineOf(bad, "          stat_prefix: other") - 2,
                                            "danger: ext-authz-missing")));
  EXPECT_THAT(result.out, HasSubstr(Finding(LineOf(bad, "allow_missing_or_failed"),
                                            "danger: jwt-missing-allowed")));
  const std::string redirect = Replaced(bad, "{match: {prefix: /}, route: {cluster: upstream}}]",
                                        "{match: {prefix: /}, redirect: {https_redirect: true}}]");
  EXPECT_THAT(Lint(redirect).out, Not(HasSubstr("ext-authz-missing")));
}

TEST_F(LintEnvoyTest, AFilterBehindAMatcherOrInATypedStructIsSeen) {
  const Result matched = Lint(R"(http_filters:
- name: a
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher
    extension_config:
      name: authz
      typed_config:
        "@type": type.googleapis.com/xds.type.v3.TypedStruct
        type_url: type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
        value:
          failure_mode_allow: true
)");
  EXPECT_THAT(matched.out, AllOf(HasSubstr(Finding(11, "danger: failure-mode-allow")),
                                 HasSubstr(Finding(10, "danger: ext-authz-matched")),
                                 Not(HasSubstr("no-ext-authz"))));
}

TEST_F(LintEnvoyTest, AFilterInsideOfACompositeRunsOnlySometimes) {
  const Result result = Lint(R"(http_filters:
- name: a
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.composite.v3.Composite
    named_filter_chains:
      b:
        typed_config:
        - name: authz
          typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz}
)");
  EXPECT_THAT(result.out, AllOf(HasSubstr(Finding(9, "danger: ext-authz-matched")),
                                HasSubstr(Finding(1, "danger: ext-authz-missing"))));
}

TEST_F(LintEnvoyTest, AFilterForConnectionsIsNoneForRequests) {
  const Result result = Lint(R"(filter_chains:
- filters:
  - name: a
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.ext_authz.v3.ExtAuthz
      failure_mode_allow: true
)");
  EXPECT_THAT(result.out, AllOf(HasSubstr(Finding(4, "warning: network-filter")),
                                HasSubstr(Finding(6, "danger: failure-mode-allow"))));
}

// Envoy takes one member without the list around it.
TEST_F(LintEnvoyTest, AMemberWithoutItsListIsRead) {
  const Result result = Lint(R"(http_filters:
  name: a
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
    allowed_headers: {patterns: {prefix: ""}}
    disallowed_headers: {patterns: {exact: cookie}}
)");
  EXPECT_THAT(
      result.out,
      AllOf(Not(HasSubstr("ext-authz-missing")),
            Not(HasSubstr(Finding(5, "danger: hidden-headers"))),
            HasSubstr(Finding(6, "danger: hidden-headers: Gatehouse does not see cookie"))));
}

TEST_F(LintEnvoyTest, IdentityHeadersAreADangerWhereARequestCanPassUnasked) {
  const std::string kept = Replaced(good_, "              - remove: x-auth-tenant\n", "");
  EXPECT_THAT(Lint(kept).out,
              HasSubstr("warning: identity-headers-kept: a client's own x-auth-tenant"));
  EXPECT_THAT(Lint(Replaced(kept, "failure_mode_allow: false", "failure_mode_allow: true")).out,
              HasSubstr("danger: identity-headers-kept"));
}

TEST_F(LintEnvoyTest, FurtherIdentityHeadersCanBeNamed) {
  const std::string file = Write("envoy.yaml", good_);
  EXPECT_THAT(
      LintFiles({file, "--identity-header", "X-User-Email", "--identity-header", "x-team"}).out,
      AllOf(HasSubstr("a client's own x-user-email, x-team are kept"),
            HasSubstr("mutations: [{remove: x-user-email}, {remove: x-team}]}}]\n")));
  const std::string removed =
      Write("b.yaml", Replaced(good_, "- remove: x-auth-roles",
                               "- remove: x-auth-roles\n              - remove: x-user-email"));
  EXPECT_EQ(LintFiles({removed, "--identity-header", "X-User-Email"}).code, 0);
}

TEST_F(LintEnvoyTest, AFilterThatRemovesIdentityHeadersBeforeIsAsGood) {
  const size_t begin = good_.find("          early_header_mutation_extensions:\n");
  const size_t end = good_.find("          route_config:\n");
  const std::string text =
      Replaced(absl::StrCat(good_.substr(0, begin), good_.substr(end)), "          http_filters:\n",
               R"(          http_filters:
          - name: strip
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
              mutations: {request_mutations: [{remove: x-auth-subject}, {remove: x-auth-roles}, {remove: x-auth-tenant}]}
)");
  EXPECT_EQ(Lint(text).code, 0) << Lint(text).out;
}

TEST_F(LintEnvoyTest, PlaintextStaysGoodOnThisMachine) {
  const std::string plain = good_.substr(0, good_.find("    transport_socket:\n"));
  EXPECT_THAT(Lint(plain).out, HasSubstr(Finding(LineOf(plain, "- name: gatehouse"),
                                                 "danger: plaintext-to-gatehouse")));
  EXPECT_EQ(Lint(Replaced(plain, "10.0.0.7", "127.0.0.1")).code, 0);
  EXPECT_EQ(Lint(Replaced(plain, "socket_address: {address: 10.0.0.7, port_value: 7070}",
                          "pipe: {path: /run/gatehouse.sock}"))
                .code,
            0);
}

TEST_F(LintEnvoyTest, ForwardedCertificatesAreGoodOffTheEdge) {
  const std::string inner =
      Replaced(Replaced(good_, "SANITIZE_SET", "FORWARD_ONLY"), "0.0.0.0", "127.0.0.1");
  EXPECT_EQ(Lint(inner).code, 0) << Lint(inner).out;
}

TEST_F(LintEnvoyTest, DenyAtDisableMakesAFilterThatIsPartlyOnGood) {
  EXPECT_EQ(Lint(Replaced(good_, "failure_mode_allow: false",
                          "filter_enabled: {default_value: {numerator: 5}, runtime_key: a}\n"
                          "              deny_at_disable: {default_value: true, runtime_key: b}"))
                .code,
            0);
}

TEST_F(LintEnvoyTest, AliasesAndMergeKeysAreResolvedAndIgnoredFieldsLeftOut) {
  const Result result = Lint(R"(!ignore shared:
  authz: &authz
    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
    failure_mode_allow: true
http_filters:
- name: a
  typed_config: *authz
- name: b
  typed_config:
    <<: *authz
    failure_mode_allow: false
    clear_route_cache: true
)");
  EXPECT_THAT(result.out, AllOf(HasSubstr(Finding(4, "danger: failure-mode-allow")),
                                HasSubstr(Finding(12, "warning: clear-route-cache")),
                                HasSubstr("2 ext_authz filters"),
                                Not(HasSubstr(Finding(11, "danger: failure-mode-allow")))));
}

TEST_F(LintEnvoyTest, WhatCannotBeReadIsExitCode2WithItsLine) {
  const std::pair<std::string, const char*> cases[] = {
      {"a: [1\nb: 2\n", "envoy.yaml:"},
      {"a: 1\nb: \"open\n", "envoy.yaml:"},
      {"a: 1\na_b: 2\naB: 3\n", "envoy.yaml:3: the field aB is given twice"},
      {"a: 1\nb: \x04\n", "envoy.yaml:2: this line holds a control character"},
      {"a: 1\nb: \xff\n", "envoy.yaml:2: this line is not UTF-8"},
      {"a: &a [*a]\n", "envoy.yaml:1: this YAML alias stands inside of what it names"},
      {"a: !include b.yaml\n", "envoy.yaml:1: this YAML tag"},
      {"a: 1\n<<: 3\n", "envoy.yaml:2: only mappings can be merged"},
      {std::string(100, '['), "nested more than 64 deep"},
      {std::string((size_t{4} << 20) + 1, ' '), "is larger than"},
      {"", "nothing of Envoy, Istio or Envoy Gateway is recognised"},
      {"listen: {grpc: \"127.0.0.1:7070\"}\n",
       "nothing of Envoy, Istio or Envoy Gateway is recognised"},
      {"\x7f\x45LF", "control character"},
  };
  for (const auto& [text, what] : cases) {
    const Result result = Lint(text);
    EXPECT_EQ(result.code, 2) << text.substr(0, 60);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr(what));
  }
}

TEST_F(LintEnvoyTest, AnAliasBombIsRefused) {
  std::string bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = absl::StrCat("*a", i - 1);
    absl::StrAppend(&bomb, "a", i, ": &a", i, " [");
    for (int n = 0; n < 10; ++n) absl::StrAppend(&bomb, n == 0 ? "" : ", ", last);
    absl::StrAppend(&bomb, "]\n");
  }
  const Result result = Lint(bomb);
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("this YAML grows too large"));
}

TEST_F(LintEnvoyTest, FilesThatAskForNothingAreExitCode2) {
  const Result clusters = Lint("clusters: [{name: a, connect_timeout: 1s}]\n");
  EXPECT_EQ(clusters.code, 2);
  EXPECT_THAT(clusters.err, HasSubstr("so nothing is known"));
  const std::string good = Write("good.yaml", good_);
  const Result unknown = LintFiles({good, Write("values.yaml", "replicas: 3\n")});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("values.yaml:1: nothing of Envoy"));
  EXPECT_EQ(LintFiles({good, folder_ / "none.yaml"}).code, 2);
  EXPECT_EQ(LintFiles({folder_}).code, 2);
  EXPECT_EQ(LintFiles({}).code, 2);
}

TEST_F(LintEnvoyTest, StandardInputIsRead) {
  const Result result = RunChild({.arguments = {"lint-envoy", "-"}, .input = good_});
  EXPECT_EQ(result.code, 0) << result.err;
}

}  // namespace
}  // namespace gatehouse::cli
