#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gatehouse/config/v1/config.pb.h"
#include "server/config/config.h"
#include "server/config/findings.h"
#include "server/config/policy.h"
#include "server/config/yaml_to_message.h"
#include "server/config/yaml_tree.h"

namespace gatehouse::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kTask[] = "resources:\n  task: {actions: {read: {allow: [owner]}}}\n";
constexpr char kNote[] = "resources:\n  note: {actions: {read: {allow: [\"role:admin\"]}}}\n";
constexpr char kRoles[] = "roles: {admin: {}}\n";

class PolicyFilesTest : public ::testing::Test {
 protected:
  PolicyFilesTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ + "/policy");
  }
  ~PolicyFilesTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(absl::StrCat(folder_, "/", name), std::ios::trunc) << text;
  }
  // The configuration with this policy, in line 4.
  absl::StatusOr<Config> Load(const std::string& policy, const std::string& issuers = kOneIssuer) {
    Write("g.yaml", absl::StrCat("issuers:\n", issuers,
                                 "revocations: {sqlite: {path: a.db}}\npolicy: ", policy, "\n"));
    return LoadConfig(folder_ + "/g.yaml");
  }
  // What is wrong with it, without the folder's name.
  std::string MessageOf(const std::string& policy, const std::string& issuers = kOneIssuer) {
    const auto config = Load(policy, issuers);
    if (config.ok()) return "was accepted";
    return absl::StrReplaceAll(config.status().message(), {{folder_ + "/", ""}});
  }

  static constexpr char kOneIssuer[] =
      "  - {issuer: \"https://a\", audiences: [x], algorithms: [EdDSA], keys: {jwks_url: "
      "\"https://a/k\"}}\n";
  const std::string folder_ =
      absl::StrCat(::testing::TempDir(), "policy_files_",
                   ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(PolicyFilesTest, AFileIsReadInsteadOfRolesAndResources) {
  Write("p.yaml", absl::StrCat(kRoles, kNote));
  const auto config = Load("{path: p.yaml}");
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_TRUE(config->policy.has_value());
  EXPECT_THAT(config->policy->roles, SizeIs(1));
  ASSERT_THAT(config->policy->resources, SizeIs(1));
  EXPECT_EQ(config->policy->resources[0].type, "note");
  EXPECT_THAT(config->policy_paths, ElementsAre(folder_ + "/p.yaml"));
  EXPECT_THAT(config->warnings, IsEmpty());
}

TEST_F(PolicyFilesTest, AnAbsolutePathIsTakenAsItStands) {
  Write("p.yaml", kTask);
  EXPECT_EQ(MessageOf(absl::StrCat("{path: \"", folder_, "/p.yaml\"}")), "was accepted");
}

TEST_F(PolicyFilesTest, AFoldersFilesArePutTogetherInTheOrderOfTheirNames) {
  Write("policy/task.yaml", kTask);
  Write("policy/note.yml", kNote);
  Write("policy/roles.yaml", kRoles);
  Write("policy/.hidden.yaml", "nonsense: true\n");
  Write("policy/README.md", "not YAML: [");
  Write("policy/task.yaml~", "nonsense");
  std::filesystem::create_directories(folder_ + "/policy/more.yaml");
  Write("policy/more.yaml/x.yaml", "nonsense: true\n");
  const auto config = Load("{path: policy}");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->policy->resources, SizeIs(2));
  EXPECT_THAT(config->policy_paths,
              ElementsAre(folder_ + "/policy", folder_ + "/policy/note.yml",
                          folder_ + "/policy/roles.yaml", folder_ + "/policy/task.yaml"));
}

TEST_F(PolicyFilesTest, APipeIsRefusedAndNotWaitedFor) {
  Write("policy/task.yaml", kTask);
  ASSERT_EQ(mkfifo((folder_ + "/policy/x.yaml").c_str(), S_IRUSR | S_IWUSR), 0);
  EXPECT_EQ(MessageOf("{path: policy}"),
            "g.yaml:4: policy.path: policy/x.yaml: is no regular file, but a pipe, a socket or a "
            "device");
  EXPECT_THAT(std::string(LoadConfig(folder_ + "/policy/x.yaml").status().message()),
              HasSubstr("is no regular file"));
}

TEST_F(PolicyFilesTest, MistakesSayFileLineAndField) {
  Write("policy/roles.yaml", "# roles\n\nroles:\n  admin: {includes: [admin]}\n");
  Write("policy/task.yaml",
        "\n\nresources:\n  task:\n    actions:\n      read: {allow: [\"role:ghost\"]}\n      "
        "write: {allow: [ownr]}\n      close: {}\n");
  EXPECT_EQ(MessageOf("{path: policy}"),
            "policy/roles.yaml:4: roles.admin: includes itself, directly or through others\n"
            "policy/task.yaml:6: resources.task.actions.read.allow[0]: the role \"ghost\" is not "
            "among policy.roles; write it there, if only as \"ghost: {}\"\n"
            "policy/task.yaml:7: resources.task.actions.write.allow[0]: must be owner, role:NAME, "
            "scope:NAME, relation:NAME or authenticated, not \"ownr\"\n"
            "policy/task.yaml:8: resources.task.actions.close.allow: needs at least one rule; "
            "without one nobody may");
}

TEST_F(PolicyFilesTest, AFileIsReadAsStrictlyAsTheConfiguration) {
  const auto message = [this](const std::string& text) {
    Write("p.yaml", text);
    return MessageOf("{path: p.yaml}");
  };
  EXPECT_EQ(message(kTask), "was accepted");
  EXPECT_EQ(message(absl::StrCat(kTask, "resource: {}\n")),
            "p.yaml:3: resource: unknown field; did you mean \"resources\"?");
  EXPECT_EQ(message(absl::StrCat(kTask, "resources: {}\n")),
            "p.yaml:3: resources: is given twice; first on line 1");
  EXPECT_EQ(message("resources:\n  a: {actions: {r: {allow: [owner]}}}\n  a: {}\n"),
            "p.yaml:3: resources.a: is given twice; first on line 2");
  EXPECT_EQ(message(absl::StrCat(kTask, "path: q.yaml\n")),
            "p.yaml:3: path: stands in the configuration alone; a policy file names no others");
  EXPECT_EQ(message(absl::StrCat("policy:\n", "  roles: {}\n")),
            "p.yaml:1: policy: unknown field; known here: roles, resources, path");
  EXPECT_EQ(message(""), "p.yaml:1: the file is empty");
  EXPECT_THAT(message("a: [\n"), HasSubstr("p.yaml:"));
  EXPECT_THAT(message("a: \x01\n"), HasSubstr("p.yaml:1: this line holds a control character"));
  EXPECT_THAT(message(std::string((size_t{1} << 20) + 1, '#')), HasSubstr("p.yaml"));
  EXPECT_THAT(message(kRoles), HasSubstr("p.yaml:1: resources: needs at least one resource"));
}

TEST_F(PolicyFilesTest, ANameInTwoFilesIsRefusedWithBothPlaces) {
  Write("policy/a.yaml", absl::StrCat(kRoles, kTask));
  Write("policy/b.yaml", absl::StrCat("\n", kTask, kRoles));
  EXPECT_EQ(MessageOf("{path: policy}"),
            "policy/b.yaml:3: resources.task: stands in two files; first in policy/a.yaml:3: "
            "resources.task\n"
            "policy/b.yaml:4: roles.admin: stands in two files; first in policy/a.yaml:1: "
            "roles.admin");
}

TEST_F(PolicyFilesTest, PathStandsAlone) {
  Write("p.yaml", kTask);
  EXPECT_EQ(MessageOf("{path: p.yaml, roles: {}}"),
            "g.yaml:4: policy.path: cannot stand beside roles or resources; give it, or give them");
  EXPECT_THAT(MessageOf("{path: p.yaml, resources: {t: {actions: {r: {allow: [owner]}}}}}"),
              HasSubstr("policy.path: cannot stand beside roles or resources"));
  EXPECT_EQ(MessageOf("{path: \"\"}"), "g.yaml:4: policy.path: must not be empty");
}

TEST_F(PolicyFilesTest, WhatIsNotThereIsRefusedByName) {
  EXPECT_THAT(MessageOf("{path: gone.yaml}"),
              AllOf(HasSubstr("g.yaml:4: policy.path: "), HasSubstr("gone.yaml")));
  EXPECT_EQ(MessageOf("{path: policy}"),
            "g.yaml:4: policy.path: the folder policy holds no *.yaml or *.yml");
  Write("policy/a.yaml", kTask);
  EXPECT_EQ(MessageOf("{path: policy}"), "was accepted");
  std::filesystem::create_symlink("gone", folder_ + "/policy/broken.yaml");
  EXPECT_THAT(MessageOf("{path: policy}"),
              AllOf(HasSubstr("g.yaml:4: policy.path: "), HasSubstr("broken.yaml")));
}

TEST_F(PolicyFilesTest, AFolderOfTooManyFilesIsRefused) {
  for (int i = 0; i < 256; ++i) {
    Write(absl::StrCat("policy/", i, ".yaml"), "roles: {}\n");
  }
  Write("policy/0.yaml", kTask);
  EXPECT_EQ(MessageOf("{path: policy}"), "was accepted");
  Write("policy/256.yaml", "roles: {}\n");
  EXPECT_EQ(MessageOf("{path: policy}"),
            "g.yaml:4: policy.path: the folder policy holds more than 256 files");
}

// As the configuration reads any of its policies.
TEST_F(PolicyFilesTest, APolicyIsReadWhereItStands) {
  Write("p.yaml", "resources:\n  task: {actions: {read: {allow: [\"role:ghost\"]}}}\n");
  const auto read = [this](const std::string& policy) {
    Findings findings("g.yaml");
    const auto root = ParseYaml("shadow:\n  policy: " + policy, findings);
    v1::Config message;
    YamlToMessage(root.value(), message, findings);
    Config config;
    config.issuers.resize(1);
    ReadPolicy(message.shadow().policy(), "shadow.policy", folder_, findings, config);
    return absl::StrReplaceAll(findings.ToStatus().message(), {{folder_ + "/", ""}});
  };
  EXPECT_THAT(read("{path: p.yaml}"),
              HasSubstr("p.yaml:2: resources.task.actions.read.allow[0]: the role"));
  EXPECT_THAT(read("{path: gone.yaml}"), HasSubstr("g.yaml:2: shadow.policy.path: "));
  EXPECT_THAT(read("{resources: {t: {actions: {r: {}}}}}"),
              HasSubstr("g.yaml:2: shadow.policy.resources.t.actions.r.allow: needs at least one"));
}

TEST_F(PolicyFilesTest, ALinkedFileIsRead) {
  std::filesystem::create_directories(folder_ + "/policy/..data");
  Write("policy/..data/task.yaml", kTask);
  std::filesystem::create_symlink("..data/task.yaml", folder_ + "/policy/task.yaml");
  EXPECT_EQ(MessageOf("{path: policy}"), "was accepted");
}

TEST_F(PolicyFilesTest, IssuersThatAreUnsaidOrUnknownNameTheFile) {
  const std::string any = "may_assert: {roles: any, scopes: any, tenants: any}";
  const std::string two = absl::StrCat(
      "  - {issuer: \"https://a\", audiences: [x], algorithms: [EdDSA], keys: {jwks_url: "
      "\"https://a/k\"}, ",
      any,
      "}\n  - {issuer: \"https://b\", audiences: [x], algorithms: "
      "[EdDSA], keys: {jwks_url: \"https://b/k\"}, ",
      any, "}\n");
  Write("policy/a.yaml", kTask);
  Write("policy/b.yaml",
        "resources:\n  page:\n    issuers: [\"https://c\"]\n    actions: {r: {allow: [owner]}}\n");
  EXPECT_EQ(MessageOf("{path: policy}", two),
            "policy/a.yaml:2: resources.task.issuers: is required with several issuers: it says "
            "whose subjects an owner may be\n"
            "policy/b.yaml:3: resources.page.issuers[0]: \"https://c\" is none of the issuers");
}

TEST_F(PolicyFilesTest, WarningsAndClaimsNameTheFile) {
  Write("policy/a.yaml", kTask);
  Write("policy/roles.yaml", "\nroles: {ghost: {}}\n");
  const auto config = Load("{path: policy}");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->warnings,
              ElementsAre(HasSubstr("policy/roles.yaml:2: roles.ghost: no rule names")));
  Write("policy/b.yaml",
        "resources:\n  x:\n    actions:\n      r: {allow: [{who: owner, when: [{claim: \"/a~x\", "
        "present: true}]}]}\n");
  EXPECT_THAT(MessageOf("{path: policy}"),
              HasSubstr("policy/b.yaml:4: resources.x.actions.r.allow[0].when[0].claim: begins "
                        "with /"));
}

TEST_F(PolicyFilesTest, AWarningOfTheShadowIsMarkedAndNoneIsSaidTwice) {
  Write("a.yaml", absl::StrCat(kTask, "roles: {ghost: {}}\n"));
  Write("b.yaml", absl::StrCat(kTask, "roles: {spook: {}}\n"));
  const auto other = Load("{path: a.yaml}\nshadow: {policy: {path: b.yaml}}");
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_THAT(other->warnings, ElementsAre(EndsWith("a.yaml:3: roles.ghost: no rule names this "
                                                    "role or one that it includes"),
                                           EndsWith("b.yaml:3: roles.spook: no rule names this "
                                                    "role or one that it includes (in the "
                                                    "shadow)")));
  const auto same = Load("{path: a.yaml}\nshadow: {policy: {path: a.yaml}}");
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_THAT(same->warnings, ElementsAre(HasSubstr("roles.ghost")));
}

TEST_F(PolicyFilesTest, ABrokenFileIsToldWithoutGuessesAboutTheOthers) {
  Write("policy/note.yaml", kNote);
  Write("policy/roles.yaml", "roles: [admin]\n");
  EXPECT_THAT(MessageOf("{path: policy}"),
              AllOf(HasSubstr("policy/roles.yaml:1: roles: must be a mapping"),
                    Not(HasSubstr("note.yaml"))));
}

}  // namespace
}  // namespace gatehouse::config
