#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/config/config.h"

namespace gatehouse::config {
namespace {

constexpr char kFile[] = R"(
listen: {grpc: "127.0.0.1:7070"}
issuers:
  - issuer: https://issuer.example
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_file: keys.json}
    claims: {roles: role}
    skew: 60s
callers:
  - {name: todo, token_file: todo.token, may: [verify]}
policy:
  roles: {admin: {}}
  resources:
    task:
      actions:
        read: {allow: [owner, "role:admin"]}
        update: {allow: [{who: owner, when: [{attribute: state, equals: open}]}]}
revocations: {sqlite: {path: gatehouse.db}}
)";

std::string RulesOf(const std::string& yaml, const std::string& name = "gatehouse.yaml") {
  const auto config = ParseConfig(yaml, name);
  EXPECT_TRUE(config.ok()) << config.status() << yaml;
  return config.ok() ? config->rules : "";
}

std::string With(const std::string& before, const std::string& after) {
  const std::string yaml = absl::StrReplaceAll(kFile, {{before, after}});
  EXPECT_NE(yaml, kFile) << before;
  return yaml;
}

TEST(RulesHashTest, Has32Digits) {
  const std::string rules = RulesOf(kFile);
  EXPECT_EQ(rules.size(), 32u);
  EXPECT_EQ(rules.find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST(RulesHashTest, IsEqualForAFileThatSaysTheSame) {
  const std::string rules = RulesOf(kFile);
  EXPECT_EQ(RulesOf(kFile, "elsewhere/other.yaml"), rules);
  EXPECT_EQ(RulesOf(absl::StrCat("# why\n", kFile)), rules);
  EXPECT_EQ(RulesOf(With("skew: 60s", "skew: 1m")), rules);
  EXPECT_EQ(RulesOf(With("[owner, \"role:admin\"]", "[{who: owner}, {who: 'role:admin'}]")), rules);
  EXPECT_EQ(RulesOf(With("    audiences: [api]\n    algorithms: [EdDSA]\n",
                         "    algorithms:\n      - EdDSA\n    audiences:\n      - api\n")),
            rules);
}

TEST(RulesHashTest, DoesNotLookAtWhatAnswersDoNotFollowFrom) {
  const std::string rules = RulesOf(kFile);
  EXPECT_EQ(RulesOf(With("127.0.0.1:7070", "127.0.0.1:7072")), rules);
  EXPECT_EQ(RulesOf(With("path: gatehouse.db}", "path: other.db}, keep: 48h")), rules);
  EXPECT_EQ(RulesOf(With("revocations:", "decision_log: {path: decisions.log}\nrevocations:")),
            rules);
}

TEST(RulesHashTest, DiffersByIssuersCallersAndPolicy) {
  const std::string rules = RulesOf(kFile);
  EXPECT_NE(RulesOf(With("audiences: [api]", "audiences: [api, web]")), rules);
  EXPECT_NE(RulesOf(With("may: [verify]", "may: [verify, list]")), rules);
  EXPECT_NE(RulesOf(With("[owner, \"role:admin\"]", "[owner]")), rules);
  EXPECT_NE(RulesOf(With("equals: open", "prefix: open")), rules);
  EXPECT_NE(RulesOf(With("roles: role", "roles: groups")), rules);
}

TEST(RulesHashTest, OneThatIsGivenAndEmptyIsNotOneThatIsLeftOut) {
  EXPECT_NE(RulesOf(With("equals: open", "present: false")),
            RulesOf(With("equals: open", "present: true")));
}

TEST(RulesHashTest, IsEqualWhereverThePolicyIsWritten) {
  std::string folder = ::testing::TempDir();
  const std::string yaml = kFile;
  const size_t begin = yaml.find("policy:\n");
  const size_t end = yaml.find("revocations:");
  const std::string policy = yaml.substr(begin + 8, end - begin - 8);
  std::ofstream(absl::StrCat(folder, "/rules_hash_policy.yaml"))
      << absl::StrReplaceAll(policy, {{"\n  ", "\n"}}).substr(2);
  const std::string split = absl::StrCat(
      yaml.substr(0, begin), "policy: {path: rules_hash_policy.yaml}\n", yaml.substr(end));
  EXPECT_EQ(RulesOf(split, absl::StrCat(folder, "/gatehouse.yaml")), RulesOf(kFile));
}

}  // namespace
}  // namespace gatehouse::config
