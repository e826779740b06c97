#include "server/engine/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/engine/engine_fixture.h"

namespace gatehouse::engine {
namespace {

using policy::Code;
using revocation::TagKind;
using ::testing::HasSubstr;

class TraceTest : public EngineTest {
 protected:
  // "form issuer key! ": the steps in order, those that failed with a mark.
  std::string StepsOf(const std::string& token, AudienceMask audiences = 0,
                      KeyNews news = KeyNews::kNone) {
    authorizer_->Examine(token, {.news = news, .audiences = audiences, .trace = &trace_});
    std::string names;
    for (const Step& step : trace_) {
      absl::StrAppend(&names, step.name, step.passed ? " " : "! ");
    }
    return names;
  }
  std::string Last() const { return trace_.empty() ? "" : trace_.back().detail; }
  std::string DetailOf(absl::string_view name) const {
    for (const Step& step : trace_) {
      if (step.name == name) return step.detail;
    }
    return "";
  }

  Trace trace_;
};

TEST_F(TraceTest, AGoodTokenHasGoneTheWholeWay) {
  EXPECT_EQ(StepsOf(Token()), "form issuer key signature claims audience time revocation ");
  EXPECT_THAT(DetailOf("form"), HasSubstr("EdDSA"));
  EXPECT_EQ(DetailOf("issuer"), kIssuer);
  EXPECT_THAT(DetailOf("key"), HasSubstr(absl::StrCat("\"", maker_.kid(), "\"")));
  EXPECT_EQ(DetailOf("time"), "expires in 900 s");
}

TEST_F(TraceTest, TheStepThatDecidesIsTheLast) {
  const TokenMaker other(jose::Algorithm::kEdDsa);
  const TokenMaker forger(jose::Algorithm::kEdDsa, maker_.kid());
  const TokenMaker es256(jose::Algorithm::kEs256);
  EXPECT_EQ(StepsOf(""), "form! ");
  EXPECT_EQ(StepsOf("x"), "form! ");
  EXPECT_EQ(StepsOf(std::string(9000, 'x')), "form! ");
  EXPECT_EQ(StepsOf("Bearer " + Token()), "form! ");
  EXPECT_EQ(StepsOf(maker_.Sign(Claims(kNow, kNow + 900, "", "https://other"))), "form issuer! ");
  EXPECT_EQ(StepsOf(es256.Sign(Claims())), "form issuer key! ");
  EXPECT_EQ(StepsOf(other.Sign(Claims())), "form issuer key! ");
  EXPECT_EQ(StepsOf(other.Sign(Claims()), 0, KeyNews::kFetched), "form issuer key! ");
  EXPECT_EQ(StepsOf(forger.Sign(Claims())), "form issuer key signature! ");
  EXPECT_EQ(StepsOf(maker_.Sign(Claims(kNow, kNow + 90'000))),
            "form issuer key signature claims! ");
  EXPECT_THAT(Last(), HasSubstr("max_token_lifetime"));
}

TEST_F(TraceTest, AWrongSignatureIsToldBeforeWrongClaims) {
  const TokenMaker forger(jose::Algorithm::kEdDsa, maker_.kid());
  EXPECT_EQ(StepsOf(forger.Sign(Claims(kNow, kNow + 90'000))), "form issuer key signature! ");
}

TEST_F(TraceTest, AnAudienceThatIsNotTheIssuersOrNotTheCallers) {
  Build({RulesFor(kIssuer)}, {"todo"});
  sources_[0]->Set(SetOf({&maker_}));
  const std::string foreign = maker_.Sign(
      R"({"iss":"https://issuer.example","aud":"zoo","sub":"ada","iat":1800000000,"exp":1800000900})");
  EXPECT_EQ(StepsOf(foreign), "form issuer key signature audience! ");
  EXPECT_THAT(Last(), HasSubstr("issuer's audiences"));
  EXPECT_EQ(StepsOf(Token(), 1), "form issuer key signature claims audience! ");
  EXPECT_THAT(Last(), HasSubstr("caller's audiences"));
}

TEST_F(TraceTest, TimeIsToldInSeconds) {
  EXPECT_EQ(StepsOf(Token(kNow - 900, kNow - 12)),
            "form issuer key signature claims audience time! ");
  EXPECT_EQ(Last(), "expired 12 s ago, skew 10 s");
  StepsOf(Token(kNow - 900, kNow - 9));
  EXPECT_EQ(DetailOf("time"), "expired 9 s ago, skew 10 s") << "good still";
  StepsOf(Token(kNow + 11, kNow + 900));
  EXPECT_EQ(Last(), "iat lies 11 s ahead, skew 10 s");
  StepsOf(maker_.Sign(Claims(kNow, kNow + 900, R"(,"nbf":1800000040)")));
  EXPECT_EQ(Last(), "nbf lies 40 s ahead, skew 10 s");
}

TEST_F(TraceTest, AFutureExpWithoutIatIsTold) {
  jose::IssuerRules rules = RulesFor(kIssuer);
  rules.allow_missing_iat = true;
  Build({rules});
  sources_[0]->Set(SetOf({&maker_}));
  StepsOf(
      maker_.Sign(R"({"iss":"https://issuer.example","aud":"api","sub":"ada","exp":1900000000})"));
  EXPECT_THAT(Last(), HasSubstr("without iat, exp lies 100000000 s ahead"));
}

TEST_F(TraceTest, TheKindsOfTheTagsThatMatchedAreNamed) {
  Commit(TagKind::kSession, "s1");
  EXPECT_EQ(StepsOf(Token()), "form issuer key signature claims audience time revocation! ");
  EXPECT_EQ(Last(), "revoked: session");
  Commit(TagKind::kKey, maker_.kid());
  Commit(TagKind::kTenant, "acme");
  StepsOf(Token());
  EXPECT_EQ(Last(), "revoked: session, tenant, key");
  Commit(TagKind::kSubject, "ada");
  Commit(TagKind::kTokenId, "t1");
  StepsOf(Token());
  EXPECT_EQ(Last(), "revoked: token id, session, subject, tenant, key");
}

TEST_F(TraceTest, ARuleIsGoodIfItSpeaksForTheCallerAndTheOneThatDecidesIsNamed) {
  policy::Condition locked;
  locked.kind = policy::Condition::Kind::kEquals;
  locked.name = "locked";
  locked.values = {"yes"};
  const policy::Action read{.name = "read",
                            .allow = {{{policy::Who::Kind::kOwner}}},
                            .deny = {{{policy::Who::Kind::kAuthenticated}, {locked}}}};
  policy::Definition definition;
  definition.resources = {{.type = "task", .issuers = {}, .actions = {read}}};
  const auto rules = policy::Policy::Compile(definition, {kIssuer});
  ASSERT_TRUE(rules.ok()) << rules.status();
  const auto told = [&](absl::string_view is_locked, absl::string_view owner) {
    std::vector<std::pair<absl::string_view, absl::string_view>> attributes;
    if (!is_locked.empty()) attributes.emplace_back("locked", is_locked);
    const policy::Question question{
        .resource = "task/1", .owner = owner, .action = "read", .attributes = attributes};
    authorizer_->Authorize(Token(), *rules, question, {.trace = &trace_});
    std::string out;
    for (auto step = trace_.end() - 3; step != trace_.end(); ++step) {
      absl::StrAppend(&out, step->passed ? "ok " : "FAIL ");
    }
    return out + Last();
  };
  EXPECT_EQ(told("no", "ada"), "ok ok ok a rule allows it: allow[0] owner");
  EXPECT_EQ(told("yes", "ada"), "FAIL ok FAIL a rule denies it: deny[0] authenticated");
  EXPECT_EQ(told("", "ada"), "FAIL ok FAIL a rule denies it: deny[0] authenticated");
  EXPECT_EQ(told("no", "bob"), "ok FAIL FAIL no rule allows it");
}

TEST_F(TraceTest, PolicyIsTheLastStepOfAuthorize) {
  const Ask ask{.trace = &trace_};
  Authorize(Token(), {"task/1", "ada", "read", ""}, ask);
  EXPECT_EQ(trace_.back().name, "policy");
  EXPECT_TRUE(trace_.back().passed);
  Authorize(Token(), {"task/1", "bob", "read", ""}, ask);
  EXPECT_EQ(trace_.back().name, "policy");
  EXPECT_FALSE(trace_.back().passed);
  EXPECT_EQ(Last(), "the subject is not the owner");
  EXPECT_EQ(Authorize(Token(), {"task/1", "bob", "read", ""}, {}).reason, "")
      << "worked out for nobody";
  Authorize("x", {"task/1", "ada", "read", ""}, ask);
  EXPECT_EQ(trace_.back().name, "form");
}

TEST_F(TraceTest, ASecretHasNoNameToTell) {
  jose::IssuerRules rules = RulesFor(kIssuer);
  rules.algorithms = {jose::Algorithm::kHs256};
  Build({rules});
  const TokenMaker secret(jose::Algorithm::kHs256);
  const auto key = jose::MakeHmacKey(Secret(secret.secret()), rules.algorithms);
  ASSERT_TRUE(key.ok()) << key.status();
  sources_[0]->Set(jose::KeySet({*key}));
  EXPECT_THAT(StepsOf(secret.Sign(R"({"alg":"HS256","kid":"foreign"})", Claims())),
              HasSubstr("revocation "));
  EXPECT_EQ(DetailOf("key"), "HS256: the issuer's secret");
  for (const Step& step : trace_) {
    EXPECT_EQ(step.detail.find("foreign"), std::string::npos);
    EXPECT_EQ(step.detail.find((*key)->thumbprint()), std::string::npos);
  }
}

TEST_F(TraceTest, OfTwoSecretsTheCurrentAndThePreviousOneAreToldApart) {
  jose::IssuerRules rules = RulesFor(kIssuer);
  rules.algorithms = {jose::Algorithm::kHs256};
  Build({rules});
  const TokenMaker current(jose::Algorithm::kHs256);
  const TokenMaker previous(jose::Algorithm::kHs256);
  const auto first = jose::MakeHmacKey(Secret(current.secret()), rules.algorithms);
  const auto second = jose::MakeHmacKey(Secret(previous.secret()), rules.algorithms);
  ASSERT_TRUE(first.ok() && second.ok());
  sources_[0]->Set(jose::KeySet({*first, *second}));
  StepsOf(previous.Sign(Claims()));
  EXPECT_EQ(DetailOf("key"), "HS256: the current secret, the previous secret");
  EXPECT_EQ(DetailOf("signature"), "right, by the previous secret");
  StepsOf(current.Sign(Claims()));
  EXPECT_EQ(DetailOf("signature"), "right, by the current secret");
}

TEST_F(TraceTest, LeavesTheMemoryAsItWas) {
  const std::string good = Token();
  StepsOf(good);
  EXPECT_EQ(authorizer_->cache().size(), 0u);
  const TokenMaker forger(jose::Algorithm::kEdDsa, maker_.kid());
  StepsOf(forger.Sign(Claims()));
  const Ask known{.effort = Effort::kKnownOnly};
  EXPECT_EQ(authorizer_->Examine(forger.Sign(Claims()), known).kind, Examination::Kind::kUnknown);
  authorizer_->Examine(good);
  StepsOf(good, 1);
  clock_.SetWall(absl::FromUnixSeconds(kNow + 5000));
  StepsOf(good);
  clock_.SetWall(absl::FromUnixSeconds(kNow));
  EXPECT_TRUE(authorizer_->Examine(good).cache_hit);
}

TEST_F(TraceTest, TooMuchWorkForALookAtTheMemory) {
  authorizer_->Examine(Token());
  const Examination out =
      authorizer_->Examine(Token(), {.effort = Effort::kKnownOnly, .trace = &trace_});
  EXPECT_EQ(out.kind, Examination::Kind::kUnknown);
  EXPECT_TRUE(trace_.empty());
}

}  // namespace
}  // namespace gatehouse::engine
