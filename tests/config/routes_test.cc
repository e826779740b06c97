#include "server/config/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/config/config.h"

namespace gatehouse::config {
namespace {

using policy::Route;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// Lines 1 to 17; what a test adds begins on line 18.
constexpr char kRest[] = R"(issuers:
  - issuer: i
    audiences: [todo, notes]
    algorithms: [ES256]
    keys: {jwks_url: https://example.com/jwks}
revocations: {sqlite: {path: gatehouse.db}}
policy:
  roles: {admin: {}}
  resources:
    task:
      tenant: required
      actions: {read: {allow: [owner, "role:admin"]}, share: {allow: ["relation:editor"]}}
    note:
      actions:
        read: {allow: [owner]}
        list: {allow: ["role:admin"]}

)";

absl::StatusOr<Config> Parse(const std::string& more) {
  return ParseConfig(absl::StrCat(kRest, more), "/etc/g.yaml");
}
std::vector<std::string> Mistakes(const std::string& more) {
  const auto config = Parse(more);
  if (config.ok()) return {};
  return absl::StrSplit(config.status().message(), '\n');
}
// Of routes.
std::vector<std::string> Warnings(const std::string& more) {
  const auto config = Parse(more);
  EXPECT_TRUE(config.ok()) << config.status();
  if (!config.ok()) return {};
  std::vector<std::string> out;
  for (const std::string& one : config->warnings) {
    if (absl::StrContains(one, ": routes[")) out.push_back(one);
  }
  return out;
}

TEST(RoutesConfig, EveryFieldIsTakenOver) {
  const auto config = Parse(R"(routes:
  - {methods: any, path: /healthz, public: true}
  - methods: [GET, DELETE]
    hosts: [api.example.com, "*.example.org"]
    path: /api/{tenant}/{owner}/tasks/{id}
    resource: task/{id}
    action: read
    audiences: todo
    peers: ["spiffe://example.org/ns/web/*", spiffe://example.org/a]
    preflight: true
  - {methods: POST, path: /me, authenticated: true}
)");
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->routes.size(), 3U);
  EXPECT_EQ(config->routes[0], (Route{.path = "/healthz",
                                      .needs = Route::Needs::kNothing,
                                      .place = "/etc/g.yaml:19: routes[0]"}));
  EXPECT_EQ(config->routes[1],
            (Route{.methods = {"GET", "DELETE"},
                   .hosts = {"api.example.com", "*.example.org"},
                   .path = "/api/{tenant}/{owner}/tasks/{id}",
                   .resource = "task/{id}",
                   .action = "read",
                   .audiences = {"todo"},
                   .peers = {"spiffe://example.org/ns/web/*", "spiffe://example.org/a"},
                   .preflight = true,
                   .place = "/etc/g.yaml:20: routes[1]"}));
  EXPECT_EQ(config->routes[2], (Route{.methods = {"POST"},
                                      .path = "/me",
                                      .needs = Route::Needs::kToken,
                                      .place = "/etc/g.yaml:28: routes[2]"}));
}

TEST(RoutesConfig, TheHashOfTheRulesIsTheSameWithAndWithoutRoutes) {
  const auto without = Parse("");
  const auto with = Parse("routes: [{methods: any, path: /, public: true}]\n");
  ASSERT_TRUE(without.ok() && with.ok());
  EXPECT_EQ(without->rules, with->rules);
}

struct Case {
  const char* name;
  std::string fields;
  std::string message;  // behind "/etc/g.yaml:18: routes"
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class BadRoute : public ::testing::TestWithParam<Case> {};

TEST_P(BadRoute, IsRefusedWithLineAndField) {
  EXPECT_THAT(Mistakes(absl::StrCat("routes: [{", GetParam().fields, "}]\n")),
              ElementsAre(StartsWith("/etc/g.yaml:18: routes" + GetParam().message)));
}

const Case kCases[] = {
    {"NoMethods", "path: /, public: true", "[0].methods: is required: a list such as [GET, POST]"},
    {"EmptyMethods", "methods: [], path: /, public: true", "[0].methods: is required"},
    {"AnyInUpperCase", "methods: [ANY], path: /, public: true",
     "[0].methods[0]: any method is said by `any` in lower case, and alone"},
    {"AnyAmongOthers", "methods: [GET, any], path: /, public: true",
     "[0].methods[1]: any method is said"},
    {"MethodInLowerCase", "methods: [GET, put], path: /, public: true",
     "[0].methods[1]: \"put\" is no method: write it in upper case"},
    {"NoPath", "methods: any, public: true", "[0].path: is required, for example"},
    {"PathWithoutSlash", "methods: any, path: a, public: true", "[0].path: must begin with '/'"},
    {"EscapedPath", "methods: any, path: /a%20b, public: true", "[0].path: \"a%20b\" holds a '%'"},
    {"EmptyHosts", "methods: any, path: /, public: true, hosts: []", "[0].hosts: is empty"},
    {"HostWithPort", "methods: any, path: /, public: true, hosts: ['a:80']",
     "[0].hosts[0]: \"a:80\" must stand without a port"},
    {"NoNeeds", "methods: any, path: /", "[0]: needs exactly one of public: true, authenticated"},
    {"PublicIsFalse", "methods: any, path: /, public: false", "[0]: needs exactly one of"},
    {"TwoNeeds", "methods: any, path: /, public: true, authenticated: true",
     "[0]: needs exactly one of"},
    {"PublicWithAction", "methods: any, path: '/{owner}', public: true, action: read",
     "[0]: needs exactly one of"},
    {"NoAction", "methods: any, path: '/{id}', resource: 'note/{id}'", "[0].action: is required"},
    {"NoResource", "methods: any, path: '/{id}', action: read", "[0].resource: is required"},
    {"TypeFromThePath", "methods: any, path: '/{t}/{id}', resource: '{t}/{id}', action: read",
     "[0].resource: must begin with its type in plain text"},
    {"UnknownName", "methods: any, path: '/{id}', resource: 'note/{ib}', action: list",
     "[0].resource: uses {ib}, which the route's path does not have"},
    {"UnknownResource", "methods: any, path: '/{id}', resource: 'nots/{id}', action: list",
     "[0].resource: the policy has no resource \"nots\"; did you mean \"note\"?"},
    {"UnknownAction", "methods: any, path: '/{id}', resource: 'note/{id}', action: lists",
     "[0].action: the policy has no action of a note \"lists\"; did you mean \"list\"?"},
    {"NoTenant", "methods: any, path: '/{owner}', resource: 'task/1', action: read",
     "[0].path: has no {tenant}, but a task is of a tenant (tenant: required)"},
    {"OwnerThatNothingLooksAt", "methods: any, path: '/{owner}', authenticated: true",
     "[0].path: has {owner}, but nothing compares it with the token"},
    {"AudienceOfNoIssuer", "methods: any, path: /, authenticated: true, audiences: [note]",
     "[0].audiences[0]: \"note\" is among no issuer's audiences, so this route could accept no "
     "token; did you mean \"notes\"?"},
    {"EmptyAudiences", "methods: any, path: /, authenticated: true, audiences: []",
     "[0].audiences: is empty"},
    {"AudienceOfNoToken", "methods: any, path: /, public: true, audiences: [todo]",
     "[0].audiences: asks for a token's audience on a public route"},
    {"EmptyPeers", "methods: any, path: /, public: true, peers: []", "[0].peers: is empty"},
    {"DoubledPeer", "methods: any, path: /, public: true, peers: ['spiffe://a', 'spiffe://a']",
     "[0].peers[1]: is listed twice"},
};

INSTANTIATE_TEST_SUITE_P(Routes, BadRoute, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return test.param.name; });

TEST(RoutesConfig, AnEmptyListIsAMistake) {
  EXPECT_THAT(Mistakes("routes: []\n"),
              ElementsAre(StartsWith("/etc/g.yaml:18: routes: is empty")));
}

TEST(RoutesConfig, WhatIsNoSpiffeIdIsRefused) {
  for (const char* peer :
       {"", "a", "https://a/b", "spiffe://", "spiffe:///a", "spiffe://A/b", "spiffe://a/",
        "spiffe://a//b", "spiffe://a/../b", "spiffe://a/b*", "spiffe://a/*/b", "*",
        "spiffe://a:80/b", "spiffe://a/b?c", "SPIFFE://a/b", "spiffe://*"}) {
    EXPECT_THAT(Mistakes(absl::StrCat("routes: [{methods: any, path: /, public: true, peers: ['",
                                      peer, "']}]\n")),
                ElementsAre(AllOf(StartsWith("/etc/g.yaml:18: routes[0].peers[0]: "),
                                  HasSubstr("is no SPIFFE id"))))
        << peer;
  }
}

TEST(RoutesConfig, RoutesAtOddsAreNamedWithBothPlaces) {
  EXPECT_THAT(Mistakes("routes:\n"
                       "  - {methods: any, path: '/a/{x}', public: true}\n"
                       "  - {methods: any, path: '/{y}/b', public: true}\n"
                       "  - {methods: GET, path: '/a/{z}', public: true}\n"),
              ElementsAre(StartsWith("/etc/g.yaml:20: routes[1].path: matches \"/a/b\", as does "
                                     "\"/a/{x}\" of (/etc/g.yaml:19: routes[0])"),
                          StartsWith("/etc/g.yaml:21: routes[2]: is the same as (/etc/g.yaml:19: "
                                     "routes[0]) for GET:")));
}

TEST(RoutesConfig, AllMistakesOfARouteAreTold) {
  EXPECT_EQ(Mistakes("routes: [{methods: get, path: a, hosts: [A], peers: [x], public: true, "
                     "audiences: [x]}]\n")
                .size(),
            6U);
}

TEST(RoutesConfig, CallersAndRoutesNameSixtyFourAudiencesInAllAtTheMost) {
  const auto with = [](int count) {
    std::string callers;
    std::string routes;
    for (int i = 0; i < count; ++i) {
      std::string& list = i < 32 ? callers : routes;
      absl::StrAppend(&list, list.empty() ? "" : ", ", "a", i);
    }
    std::string all = absl::StrCat(callers, ", ", routes);
    std::string yaml = absl::StrCat(
        kRest, "callers: [{name: c, token_file: t, may: [check], audiences: [", callers,
        "]}]\nroutes: [{methods: any, path: /, authenticated: true, audiences: [a0, ", routes,
        "]}]\n");
    yaml.replace(yaml.find("todo, notes"), 11, all);
    const auto config = ParseConfig(yaml, "/etc/g.yaml");
    return config.ok() ? std::string() : std::string(config.status().message());
  };
  EXPECT_EQ(with(64), "");
  EXPECT_THAT(with(65), StartsWith("/etc/g.yaml:19: routes[0].audiences[33]: callers and routes "
                                   "name more than 64 different audiences in all"));
}

TEST(RoutesConfig, ARouteThatNobodyIsAllowedByIsWarnedOf) {
  const std::string route = "routes: [{methods: any, ";
  EXPECT_THAT(
      Warnings(route + "path: '/n/{id}', resource: 'note/{id}', action: read}]\n"),
      ElementsAre("/etc/g.yaml:18: routes[0].path: nobody will be allowed: the policy's rules for "
                  "read are for owners or relations, and this path says none"));
  EXPECT_THAT(Warnings(route + "path: '/{tenant}/{owner}', resource: task/1, action: share}]\n"),
              ElementsAre(HasSubstr("for share are for relations, and this path says none")));
  EXPECT_THAT(Warnings(route + "path: '/{owner}', resource: note/1, action: read}]\n"), IsEmpty());
  EXPECT_THAT(Warnings(route + "path: /n, resource: note/1, action: list}]\n"), IsEmpty());
}

TEST(RoutesConfig, WithoutAPolicyOnlyOwnersAreAllowed) {
  const auto warnings = [](const std::string& issuers, const std::string& path) {
    const auto config = ParseConfig(
        absl::StrCat("issuers:\n", issuers, "revocations: {sqlite: {path: g.db}}\n",
                     "edge: {identity_headers: {issuer: x-auth-issuer}}\n",
                     "routes: [{methods: any, path: '", path, "', resource: x/1, action: y}]\n"),
        "/etc/g.yaml");
    EXPECT_TRUE(config.ok()) << config.status();
    return config->warnings;
  };
  const auto issuer = [](const std::string& name) {
    return absl::StrCat("  - {issuer: ", name, ", audiences: [a], algorithms: [ES256], keys: ",
                        "{jwks_url: 'https://example.com/j'}, ",
                        "may_assert: {roles: none, scopes: none, tenants: none}}\n");
  };
  EXPECT_THAT(warnings(issuer("i"), "/{owner}"), IsEmpty());
  EXPECT_THAT(warnings(issuer("i"), "/x"),
              ElementsAre(HasSubstr("routes[0].path: has no {owner}")));
  EXPECT_THAT(warnings(issuer("i") + issuer("j"), "/{owner}"),
              ElementsAre(HasSubstr("nothing is allowed where there are several issuers")));
}

TEST(RoutesConfig, APathThatASlashLeadsPastIsWarnedOf) {
  const std::string all = "  - {methods: any, path: /**, public: true}\n";
  const std::string admin = "  - {methods: [GET], path: /admin, authenticated: true}\n";
  EXPECT_THAT(
      Warnings("routes:\n" + all + admin),
      ElementsAre("/etc/g.yaml:20: routes[1].path: \"/admin/\" takes /** (/etc/g.yaml:19: "
                  "routes[0]), which asks for less: where the service answers it as it does this "
                  "path, add a route for it"));
  EXPECT_THAT(Warnings("routes:\n" + admin), IsEmpty());
  EXPECT_THAT(Warnings("routes:\n" + all + admin +
                       "  - {methods: [GET], path: /admin/, authenticated: true}\n"),
              IsEmpty());
  // "/a/**" does not stand for "/a".
  EXPECT_THAT(
      Warnings("routes:\n" + all + "  - {methods: any, path: /a/**, authenticated: true}\n"),
      ElementsAre(HasSubstr("\"/a\" takes /**")));
  EXPECT_THAT(Warnings("routes:\n" + all +
                       "  - {methods: any, path: '/{owner}/n', resource: note/1, action: read}\n"),
              ElementsAre(HasSubstr("\"/x/n/\" takes /**")));
  // Whichever of its methods and hosts it is that leads past.
  const std::string writes =
      "  - {methods: POST, hosts: b.example.com, path: /**, public: true}\n"
      "  - {methods: [GET, POST], hosts: [a.example.com, b.example.com], path: /admin, "
      "authenticated: true}\n";
  EXPECT_THAT(Warnings("routes:\n" + writes), ElementsAre(HasSubstr("\"/admin/\" takes /**")));
}

TEST(RoutesConfig, AHostsRouteBesideALooserOneForAnyHostIsWarnedOf) {
  const std::string own =
      "  - {methods: [GET, POST], hosts: admin.example.com, path: '/a/{x}', authenticated: true}\n";
  const auto beside = [&](const std::string& other) {
    return Warnings("routes:\n" + own + "  - {" + other + "}\n");
  };
  EXPECT_THAT(beside("methods: [POST, PUT], path: '/a/{id}', public: true"),
              ElementsAre("/etc/g.yaml:19: routes[0].hosts: for any other host this path takes "
                          "/etc/g.yaml:20: routes[1], which asks for less: where the service "
                          "answers to another name or to its address too, give that route hosts "
                          "of its own"));
  EXPECT_THAT(beside("methods: any, path: '/a/{id}', public: true"), SizeIs(1));
  // Another method, another path, as strict a route, and one with hosts of its own.
  EXPECT_THAT(beside("methods: PUT, path: '/a/{id}', public: true"), IsEmpty());
  EXPECT_THAT(beside("methods: any, path: '/b/{id}', public: true"), IsEmpty());
  EXPECT_THAT(beside("methods: any, path: '/a/{id}', authenticated: true"), IsEmpty());
  EXPECT_THAT(beside("methods: any, hosts: b.example.com, path: '/a/{id}', public: true"),
              IsEmpty());
  // The order of routes says nothing.
  EXPECT_THAT(Warnings("routes:\n  - {methods: any, path: '/a/{id}', public: true}\n" + own),
              ElementsAre(HasSubstr("g.yaml:20: routes[1].hosts: ")));
  // Where a decision is asked for, a token alone is less.
  const std::string decides =
      "routes:\n  - {methods: any, hosts: a.b, path: '/{owner}/**', resource: note/1, action: "
      "read}\n  - {methods: any, path: '/{x}/{y=**}', ";
  EXPECT_THAT(Warnings(decides + "authenticated: true}\n"), SizeIs(1));
  EXPECT_THAT(Warnings(decides + "resource: note/2, action: list}\n"),
              Not(Contains(HasSubstr(".hosts"))));
}

TEST(RoutesConfig, WhatSurprisesThoseWhoseProxyAsksIsWarnedOf) {
  const auto warnings = [](const std::string& more) {
    const auto config = Parse(more);
    EXPECT_TRUE(config.ok()) << config.status();
    std::vector<std::string> out;
    if (!config.ok()) return out;
    for (const std::string& one : config->warnings) {
      if (!absl::StrContains(one, ": policy.")) out.push_back(one);
    }
    return out;
  };
  const std::string port = "listen: {forward_auth: [{address: '127.0.0.1:0', dialect: nginx}]}\n";
  const auto callers = [](const std::string& may) {
    return "callers: [{name: a, token_file: a, may: [verify]}, {name: b, token_file: b, may: [" +
           may + "]}]\n";
  };
  const std::string routes = "routes: [{methods: any, path: /a, public: true}]\n";
  const std::string peers =
      "routes: [{methods: any, path: /a, public: true, peers: 'spiffe://a/b'}]\n";
  EXPECT_THAT(warnings(port),
              ElementsAre("/etc/g.yaml:18: listen.forward_auth: without routes every request that "
                          "a proxy asks about is denied: add routes"));
  EXPECT_THAT(warnings(callers("verify, check")),
              ElementsAre(StartsWith("/etc/g.yaml:18: callers[1].may: without routes every")));
  EXPECT_THAT(warnings(callers("verify")), IsEmpty());
  EXPECT_THAT(warnings(port + callers("check") + routes), IsEmpty());
  EXPECT_THAT(warnings(peers + "edge: {strip_token: true}\n" + callers("check")), IsEmpty());
  EXPECT_THAT(
      warnings(port + peers + "edge: {strip_token: true}\n"),
      ElementsAre(StartsWith("/etc/g.yaml:19: routes[0].peers: never match behind forward-auth"),
                  StartsWith("/etc/g.yaml:20: edge.strip_token: is for Envoy alone")));
}

}  // namespace
}  // namespace gatehouse::config
