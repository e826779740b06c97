#include "server/config/callers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/config/config.h"

namespace gatehouse::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// Lines 2 to 7; what a test adds before it begins on line 1, and what it adds behind
// it on line 8.
constexpr char kRest[] = R"(
issuers:
  - issuer: i
    audiences: [todo, notes]
    algorithms: [ES256]
    keys: {jwks_url: https://example.com/jwks}
revocations: {sqlite: {path: gatehouse.db}}
)";
constexpr char kCaller[] = "callers: [{name: todo-api, token_file: t.token, may: [verify]}]\n";

std::string With(const std::string& listen, const std::string& callers) {
  return absl::StrCat(listen, kRest, callers);
}

std::vector<std::string> Mistakes(const std::string& yaml) {
  const auto config = ParseConfig(yaml, "/etc/g.yaml");
  if (config.ok()) return {};
  return absl::StrSplit(config.status().message(), '\n');
}

TEST(CallersConfig, EveryFieldIsTakenOver) {
  const auto config = ParseConfig(With("", R"(callers:
  - name: todo-api
    token_file: callers/todo-api.token
    may: [verify, authorize, explain, revoke, list]
    audiences: [todo]
  - {name: team/a_b.c, token_file: /run/secrets/t, may: [list]}
)"),
                                  "/etc/gatehouse/g.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->callers.size(), 2U);
  EXPECT_EQ(config->callers[0].name, "todo-api");
  EXPECT_EQ(config->callers[0].token_file, "/etc/gatehouse/callers/todo-api.token");
  EXPECT_THAT(config->callers[0].may, ElementsAre(Right::kVerify, Right::kAuthorize,
                                                  Right::kExplain, Right::kRevoke, Right::kList));
  EXPECT_THAT(config->callers[0].audiences, ElementsAre("todo"));
  EXPECT_EQ(config->callers[0].place, "/etc/gatehouse/g.yaml:10: callers[0].token_file");
  EXPECT_EQ(config->callers[1].token_file, "/run/secrets/t");
  EXPECT_THAT(config->callers[1].may, ElementsAre(Right::kList));
  EXPECT_THAT(config->callers[1].audiences, IsEmpty());
}

struct Case {
  const char* name;
  std::string fields;
  std::string message;  // behind "/etc/g.yaml:8: callers[0]"
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class BadCaller : public ::testing::TestWithParam<Case> {};

TEST_P(BadCaller, IsRefusedWithLineAndField) {
  EXPECT_THAT(Mistakes(With("", absl::StrCat("callers: [{", GetParam().fields, "}]\n"))),
              ElementsAre(StartsWith("/etc/g.yaml:8: callers[0]" + GetParam().message)));
}

const Case kCases[] = {
    {"NoName", "token_file: t, may: [list]", ".name: is required"},
    {"EmptyName", "name: '', token_file: t, may: [list]", ".name: must not be empty"},
    {"SpaceInName", "name: todo api, token_file: t, may: [list]",
     ".name: must be letters, digits and \"-_./\", 64 at most"},
    {"QuoteInName", "name: 'a\"b', token_file: t, may: [list]", ".name: must be letters"},
    {"NameOf65", absl::StrCat("name: ", std::string(65, 'a'), ", token_file: t, may: [list]"),
     ".name: must be letters"},
    {"NothingToBeKnownBy", "name: a, may: [list]",
     ": nothing tells it from others: it needs token_file, spiffe_ids or dns_names"},
    {"EmptyTokenFile", "name: a, token_file: '', may: [list]", ".token_file: must not be empty"},
    {"TokenInTheFile", "name: a, token_file: t, may: [list], token: x", ".token: unknown field"},
    {"NoRights", "name: a, token_file: t",
     ".may: needs at least one of verify, authorize, filter, check, watch, "
     "explain, revoke, reinstate, list, introspect, admin"},
    {"EmptyRights", "name: a, token_file: t, may: []", ".may: needs at least one of"},
    {"UnknownRight", "name: a, token_file: t, may: [verfy]",
     ".may[0]: unknown right \"verfy\"; did you mean \"verify\"?"},
    {"RightOfAnotherCase", "name: a, token_file: t, may: [List]",
     ".may[0]: unknown right \"List\"; did you mean \"list\"?"},
    {"RightFarFromAll", "name: a, token_file: t, may: [everything]",
     ".may[0]: unknown right \"everything\"; known are verify"},
    {"DoubledRight", "name: a, token_file: t, may: [list, verify, list]",
     ".may[2]: list is listed twice"},
    {"NoAudience", "name: a, token_file: t, may: [list], audiences: []", ".audiences: is empty"},
    {"EmptyAudience", "name: a, token_file: t, may: [list], audiences: ['']",
     ".audiences[0]: must not be empty"},
    {"AudienceOfNoIssuer", "name: a, token_file: t, may: [list], audiences: [todo, note]",
     ".audiences[1]: \"note\" is among no issuer's audiences, so this caller could accept no "
     "token; did you mean \"notes\"?"},
    {"DoubledAudience", "name: a, token_file: t, may: [list], audiences: [todo, todo]",
     ".audiences[1]: is listed twice"},
};

INSTANTIATE_TEST_SUITE_P(Callers, BadCaller, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return test.param.name; });

TEST(CallersConfig, AnEmptyListIsAMistake) {
  EXPECT_THAT(Mistakes(With("", "callers: []\n")),
              ElementsAre(StartsWith("/etc/g.yaml:8: callers: is empty")));
}

TEST(CallersConfig, ADoubledNameIsRefusedWithTheLineOfTheFirst) {
  EXPECT_THAT(Mistakes(With("",
                            "callers:\n"
                            "  - {name: a, token_file: t, may: [list]}\n"
                            "  - {name: A, token_file: t, may: [list]}\n"
                            "  - {name: a, token_file: t, may: [list]}\n")),
              ElementsAre(StartsWith("/etc/g.yaml:11: callers[2].name: \"a\" is callers[0].name "
                                     "already (line 9)")));
}

std::string WithAudiences(int callers, int each) {
  std::string all;
  std::string text = "callers:\n";
  for (int i = 0; i < callers; ++i) {
    std::string own;
    for (int j = 0; j < each; ++j) absl::StrAppend(&own, j > 0 ? ", " : "", "a", i, "-", j);
    absl::StrAppend(&all, ", ", own);
    absl::StrAppend(&text, "  - {name: c", i, ", token_file: t, may: [list], audiences: [", own,
                    "]}\n");
  }
  std::string yaml = With("", text);
  yaml.replace(yaml.find("todo, notes"), 11, "todo" + all);
  return yaml;
}

TEST(CallersConfig, SixtyFourAudiencesInAllAreTheMost) {
  EXPECT_THAT(Mistakes(WithAudiences(4, 16)), IsEmpty());
  EXPECT_THAT(Mistakes(WithAudiences(5, 13)),
              ElementsAre(StartsWith("/etc/g.yaml:13: callers[4].audiences[12]: callers and routes "
                                     "name more than 64 different audiences")));
}

constexpr char kOpen[] = R"(listen: {grpc: "0.0.0.0:7070", plaintext_behind_mesh: true})";

TEST(Listeners, OffLoopbackGrpcNeedsCallersAndAMesh) {
  EXPECT_THAT(Mistakes(With(kOpen, kCaller)), IsEmpty());
  EXPECT_THAT(Mistakes(With(R"(listen: {grpc: "0.0.0.0:7070"})", kCaller)),
              ElementsAre(AllOf(StartsWith("/etc/g.yaml:1: listen.grpc: other machines reach "
                                           "0.0.0.0"),
                                HasSubstr("plaintext_behind_mesh: true"))));
  EXPECT_THAT(Mistakes(With(kOpen, "")),
              ElementsAre(AllOf(StartsWith("/etc/g.yaml:1: listen.grpc: "),
                                HasSubstr("name who may call under callers"))))
      << "plaintext_behind_mesh alone does not do it";
  for (const char* host : {"[::]", "192.0.2.7", "gatehouse.example", "localhost.example.com"}) {
    EXPECT_THAT(Mistakes(With(absl::StrCat("listen: {grpc: \"", host, ":7070\"}"), "")).size(), 2U)
        << host;
  }
}

TEST(Listeners, OffLoopbackGrpcDoesNotGoWithAnIssuerForDevelopment) {
  std::string yaml = With(kOpen, kCaller);
  yaml.replace(yaml.find("algorithms: [ES256]"), 19, "algorithms: [EdDSA]");
  yaml.replace(yaml.find("    keys: {jwks_url: https://example.com/jwks}"), 46,
               "    keys: {jwks_file: j}\n    development: {private_key_file: k}");
  EXPECT_THAT(Mistakes(yaml),
              ElementsAre(StartsWith("/etc/g.yaml:7: issuers[0].development: an issuer for "
                                     "development does not go with listen.grpc")));
}

TEST(Listeners, LoopbackNeedsNothing) {
  for (const char* host : {"127.0.0.1", "127.9.9.9", "[::1]", "localhost"}) {
    EXPECT_THAT(Mistakes(With(absl::StrCat("listen: {grpc: \"", host, ":7070\"}"), "")), IsEmpty())
        << host;
  }
}

TEST(Listeners, HttpMayLieOffLoopback) {
  EXPECT_THAT(Mistakes(With(R"(listen: {http: "0.0.0.0:7071"})", "")), IsEmpty());
}

}  // namespace
}  // namespace gatehouse::config
