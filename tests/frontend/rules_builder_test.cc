#include "server/rules_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/support/fake_clock.h"
#include "tests/support/token_maker.h"

namespace gatehouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kToken[] = "q7Zp2vX9rT4mK1wB8nY5cF3hJ6sD0gLe";
constexpr char kOther[] = "u3Xk8Rz1Vt6Nq9Ws4Ym7Bc2Hp5Jd0FgL";

class RulesBuilderTest : public ::testing::Test {
 protected:
  RulesBuilderTest() {
    std::string name = std::filesystem::temp_directory_path() / "gatehouse-rules-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    // Of a file, of a URL where nobody answers, and of a secret.
    config_.issuers = {
        IssuerOf("https://file.example", jose::Algorithm::kEdDsa,
                 config::KeysFile{.path = Put("jwks.json", maker_.Jwks()), .place = "g.yaml:1"}),
        IssuerOf("https://url.example", jose::Algorithm::kEdDsa,
                 config::KeysUrl{.url = "http://127.0.0.1:1/jwks"}),
        IssuerOf("https://secret.example", jose::Algorithm::kHs256,
                 config::KeysSecret{.current = {.kind = config::SecretPlace::Kind::kFile,
                                                .name = Put("secret", kToken),
                                                .place = "g.yaml:9"}})};
    config_.callers = {{.name = "api",
                        .token_file = Put("api.token", kToken),
                        .may = {config::Right::kVerify},
                        .audiences = {"api"}}};
    config_.sqlite_path = folder_ / "gatehouse.db";
    config_.keep = absl::Hours(720);
  }
  ~RulesBuilderTest() override { std::filesystem::remove_all(folder_); }

  static config::Issuer IssuerOf(const std::string& name, jose::Algorithm algorithm,
                                 config::Keys keys) {
    config::Issuer issuer;
    issuer.rules.issuer = name;
    issuer.rules.audiences = {"api"};
    issuer.rules.algorithms = {algorithm};
    issuer.keys = std::move(keys);
    return issuer;
  }
  std::string Put(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  RulesBuilder::Built Build() {
    auto built = builder_.Build(config_);
    EXPECT_TRUE(built.ok()) << built.status();
    return *std::move(built);
  }
  // Whether the issuers in both have the same key source.
  static std::vector<bool> Kept(const RulesBuilder::Built& before,
                                const RulesBuilder::Built& after) {
    std::vector<bool> out;
    for (const engine::TrustedIssuer& issuer : after.rules->authorizer->issuers()) {
      const auto* old = before.rules->authorizer->FindIssuer(issuer.rules.issuer);
      out.push_back(old != nullptr && old->keys == issuer.keys);
    }
    return out;
  }
  static policy::Definition Everybody() {
    policy::Action read{.name = "read", .is_public = true};
    read.allow.push_back({.who = {}});
    policy::Definition out;
    out.resources.push_back(
        {.type = "task", .issuers = {"https://file.example"}, .actions = {read}});
    return out;
  }

  std::filesystem::path folder_;
  TokenMaker maker_{jose::Algorithm::kEdDsa};
  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  revocation::RevocationIndex index_;
  frontend::CallerNumbers numbers_;
  frontend::DecisionLogCounters decisions_;
  RulesBuilder builder_{index_, numbers_, decisions_, clock_};
  config::Config config_;
};

TEST_F(RulesBuilderTest, WhatIsEqualGoesOnWhereverItStandsInTheFile) {
  const RulesBuilder::Built first = Build();
  std::get<config::KeysFile>(config_.issuers[0].keys).place = "g.yaml:2";
  std::get<config::KeysSecret>(config_.issuers[2].keys).current.place = "g.yaml:10";
  const RulesBuilder::Built second = Build();
  EXPECT_TRUE(second.keeps_tokens);
  EXPECT_EQ(first.rules->authorizer, second.rules->authorizer);
  EXPECT_THAT(second.changed, IsEmpty());
}

TEST_F(RulesBuilderTest, AnotherPolicyKeepsTheTokens) {
  const RulesBuilder::Built first = Build();
  config_.policy = Everybody();
  const RulesBuilder::Built second = Build();
  EXPECT_TRUE(second.keeps_tokens);
  EXPECT_THAT(second.changed, ElementsAre("policy"));
  EXPECT_NE(first.rules->policy, second.rules->policy);
}

TEST_F(RulesBuilderTest, ClaimsThatThePolicyWantsAreReadFromEveryTokenAnew) {
  const RulesBuilder::Built first = Build();
  config_.policy = Everybody();
  for (config::Issuer& issuer : config_.issuers) issuer.rules.more_claims = {"team"};
  const RulesBuilder::Built second = Build();
  EXPECT_FALSE(second.keeps_tokens);
  EXPECT_THAT(second.changed, ElementsAre("policy"));
  EXPECT_THAT(Kept(first, second), ElementsAre(true, true, true));
}

TEST_F(RulesBuilderTest, OtherRulesOfAnIssuerForgetTheTokensAndKeepTheKeys) {
  const RulesBuilder::Built first = Build();
  config_.issuers[1].rules.audiences = {"other"};
  const RulesBuilder::Built second = Build();
  EXPECT_FALSE(second.keeps_tokens);
  EXPECT_THAT(second.changed, ElementsAre("issuers"));
  EXPECT_THAT(Kept(first, second), ElementsAre(true, true, true));
}

TEST_F(RulesBuilderTest, OnlyTheKeysThatComeFromElsewhereAreReplaced) {
  const RulesBuilder::Built first = Build();
  std::get<config::KeysUrl>(config_.issuers[1].keys).url = "http://127.0.0.1:1/other";
  const RulesBuilder::Built second = Build();
  EXPECT_THAT(Kept(first, second), ElementsAre(true, false, true));
  config_.issuers[0].rules.algorithms = {jose::Algorithm::kEdDsa, jose::Algorithm::kEs256};
  EXPECT_THAT(Kept(second, Build()), ElementsAre(false, true, true));
}

TEST_F(RulesBuilderTest, IssuersComeAndGoAndTheOthersKeepTheirKeys) {
  const RulesBuilder::Built first = Build();
  config_.issuers.erase(config_.issuers.begin());
  const RulesBuilder::Built second = Build();
  EXPECT_EQ(second.rules->authorizer->FindIssuer("https://file.example"), nullptr);
  EXPECT_THAT(Kept(first, second), ElementsAre(true, true));
  config_.issuers.insert(config_.issuers.begin(),
                         IssuerOf("https://new.example", jose::Algorithm::kEdDsa,
                                  config::KeysFile{.path = folder_ / "jwks.json"}));
  EXPECT_THAT(Kept(second, Build()), ElementsAre(false, true, true));
}

TEST_F(RulesBuilderTest, ASecretThatChangedOnDiskIsAnotherOne) {
  const RulesBuilder::Built first = Build();
  Put("secret", kOther);
  const RulesBuilder::Built second = Build();
  EXPECT_THAT(Kept(first, second), ElementsAre(true, true, false));
  EXPECT_FALSE(second.keeps_tokens);
  EXPECT_THAT(second.changed, ElementsAre("issuers"));
}

TEST_F(RulesBuilderTest, ACallersTokenIsReadAnewAndItsNumberStays) {
  Build();
  Put("api.token", kOther);
  const RulesBuilder::Built second = Build();
  EXPECT_THAT(second.changed, ElementsAre("callers"));
  EXPECT_TRUE(second.keeps_tokens);
  config_.callers.insert(config_.callers.begin(), {.name = "web",
                                                   .token_file = Put("web.token", kToken),
                                                   .may = {config::Right::kVerify},
                                                   .audiences = {}});
  const RulesBuilder::Built third = Build();
  EXPECT_EQ(third.rules->callers.callers()[0].number, 1U);
  EXPECT_EQ(third.rules->callers.callers()[1].number, 0U);
  EXPECT_TRUE(third.keeps_tokens);
}

TEST_F(RulesBuilderTest, OtherAudiencesOfCallersForgetTheTokens) {
  Build();
  config_.callers[0].audiences = {"other"};
  const RulesBuilder::Built second = Build();
  EXPECT_FALSE(second.keeps_tokens);
  EXPECT_THAT(second.changed, ElementsAre("callers"));
}

TEST_F(RulesBuilderTest, WhateverChangesIsSaidAndKeepsTheTokens) {
  Build();
  const auto changed = [this] {
    const RulesBuilder::Built built = Build();
    EXPECT_TRUE(built.keeps_tokens);
    return built.changed;
  };
  config_.keep = absl::Hours(800);
  EXPECT_THAT(changed(), ElementsAre("revocations.keep"));
  config_.shadow = config::ShadowPolicy{.policy = Everybody(), .percent = 100};
  EXPECT_THAT(changed(), ElementsAre("shadow"));
  config_.shadow->percent = 7;
  EXPECT_THAT(changed(), ElementsAre("shadow"));
  config_.decision_log = config::DecisionLog{.path = folder_ / "decisions.jsonl"};
  EXPECT_THAT(changed(), ElementsAre("decision_log"));
  config_.decision_log->place = "g.yaml:30";
  EXPECT_THAT(changed(), IsEmpty());
  config_.decision_log->allowed_percent = 2;
  EXPECT_THAT(changed(), ElementsAre("decision_log"));
  config_.callers[0].may.push_back(config::Right::kRevoke);
  EXPECT_THAT(changed(), ElementsAre("callers"));
  config_.shadow.reset();
  config_.decision_log.reset();
  EXPECT_THAT(changed(), ElementsAre("shadow", "decision_log"));
}

TEST_F(RulesBuilderTest, WithoutRoutesThereIsAGateThatKnowsNone) {
  const RulesBuilder::Built built = Build();
  ASSERT_NE(built.rules->gate, nullptr);
  EXPECT_THAT(built.rules->gate->routes().routes(), IsEmpty());
}

TEST_F(RulesBuilderTest, OtherRoutesAndEdgesAreSaidAndKeepTheTokens) {
  const RulesBuilder::Built first = Build();
  policy::Route route{.path = "/a", .needs = policy::Route::Needs::kToken, .place = "g.yaml:1"};
  config_.routes = {route};
  const RulesBuilder::Built second = Build();
  EXPECT_THAT(second.changed, ElementsAre("routes"));
  EXPECT_TRUE(second.keeps_tokens);
  EXPECT_EQ(second.rules->gate->routes().routes().size(), 1U);
  config_.routes[0].place = "g.yaml:2";
  EXPECT_THAT(Build().changed, IsEmpty());
  config_.edge.realm = "other";
  const RulesBuilder::Built third = Build();
  EXPECT_THAT(third.changed, ElementsAre("edge"));
  EXPECT_TRUE(third.keeps_tokens);
  EXPECT_EQ(third.rules->gate->settings().realm, "other");
  config_.routes = {route, route};
  EXPECT_THAT(builder_.Build(config_).status().message(), HasSubstr("is the same as"));
}

TEST_F(RulesBuilderTest, AudiencesOfRoutesAreToldApartBesideThoseOfCallers) {
  Build();
  const policy::Route route{.path = "/a", .needs = policy::Route::Needs::kToken};
  config_.routes = {route};
  config_.routes[0].audiences = {"api"};
  const RulesBuilder::Built known = Build();
  EXPECT_TRUE(known.keeps_tokens) << "the callers have it already";
  EXPECT_THAT(known.changed, ElementsAre("routes"));
  config_.routes[0].audiences = {"api", "web"};
  const RulesBuilder::Built other = Build();
  EXPECT_FALSE(other.keeps_tokens) << "nobody has looked for it in the tokens that are known";
  EXPECT_THAT(other.changed, ElementsAre("routes"));
  config_.routes[0].audiences = {"web"};
  EXPECT_TRUE(Build().keeps_tokens);
  config_.callers[0].audiences.clear();
  EXPECT_FALSE(Build().keeps_tokens) << "the bits have moved";

  config_.routes.clear();
  for (int i = 0; i < 65; ++i) {
    config_.routes.push_back(route);
    config_.routes.back().path = absl::StrCat("/a", i);
    config_.routes.back().audiences = {absl::StrCat("a", i)};
  }
  EXPECT_THAT(builder_.Build(config_).status().message(), HasSubstr("too many"));
  config_.routes.pop_back();
  EXPECT_TRUE(builder_.Build(config_).ok());
}

TEST_F(RulesBuilderTest, WhatIsRefusedLeavesTheLastOneTheOneInForce) {
  const RulesBuilder::Built first = Build();
  const config::Config good = config_;
  config_.issuers[1].rules.audiences = {"other"};
  config_.callers[0].token_file = folder_ / "nowhere";
  const auto refused = builder_.Build(config_);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("the token of caller api"));
  config_ = good;
  const RulesBuilder::Built again = Build();
  EXPECT_EQ(first.rules->authorizer, again.rules->authorizer);
  EXPECT_THAT(again.changed, IsEmpty());
}

}  // namespace
}  // namespace gatehouse
