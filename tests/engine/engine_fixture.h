#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/engine/authorizer.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_key_source.h"
#include "tests/support/token_maker.h"

namespace gatehouse::engine {

inline constexpr char kIssuer[] = "https://issuer.example";
inline constexpr int64_t kNow = 1'800'000'000;

inline jose::IssuerRules RulesFor(std::string issuer) {
  jose::IssuerRules rules;
  rules.issuer = std::move(issuer);
  rules.audiences = {"api"};
  rules.algorithms = {jose::Algorithm::kEdDsa};
  rules.claims.tenant = "org";
  return rules;
}

// An authorizer with one issuer, whose keys and clock the test moves.
class EngineTest : public ::testing::Test {
 protected:
  EngineTest() : maker_(jose::Algorithm::kEdDsa) {
    Build({RulesFor(kIssuer)});
    sources_[0]->Set(SetOf({&maker_}));
  }

  void Build(const std::vector<jose::IssuerRules>& rules,
             const std::vector<std::string>& audiences = {}) {
    sources_.clear();
    policy_ = policy::Policy::Default(static_cast<int>(rules.size()));
    std::vector<TrustedIssuer> issuers;
    for (const jose::IssuerRules& one : rules) {
      auto source = std::make_unique<FakeKeySource>();
      sources_.push_back(source.get());
      issuers.push_back({one, std::move(source)});
    }
    authorizer_ = std::make_unique<Authorizer>(
        std::move(issuers), index_, clock_,
        Authorizer::Options{1 << 20, audiences, [](const policy::Principal& p) {
                              return absl::StrCat("rendered ", p.subject);
                            }});
  }

  Examination Authorize(absl::string_view token, const policy::Question& question,
                        const Ask& ask = {}) {
    return authorizer_->Authorize(token, policy_, question, ask);
  }

  static jose::KeySet SetOf(std::initializer_list<const TokenMaker*> makers) {
    auto parsed = jose::ParseJwks(TokenMaker::JwksOf(makers));
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return parsed->keys;
  }

  static std::string Claims(int64_t iat = kNow, int64_t exp = kNow + 900,
                            const std::string& more = "", const std::string& issuer = kIssuer) {
    return absl::StrCat(R"({"iss":")", issuer, R"(","aud":"api","sub":"ada","iat":)", iat,
                        R"(,"exp":)", exp, R"(,"jti":"t1","sid":"s1","org":"acme")", more, "}");
  }
  std::string Token(int64_t iat = kNow, int64_t exp = kNow + 900) const {
    return maker_.Sign(Claims(iat, exp));
  }

  void Commit(revocation::TagKind kind, const std::string& value,
              int64_t issued_until = revocation::kAll, const std::string& issuer = kIssuer) {
    revocation::Fact fact;
    fact.tag = revocation::MakeTag(kind, issuer, value);
    fact.kind = kind;
    fact.issued_until = issued_until;
    fact.revision = ++revision_;
    index_.OnCommitted({fact}, revision_);
  }

  FakeClock clock_{absl::FromUnixSeconds(kNow)};
  revocation::RevocationIndex index_;
  int64_t revision_ = 0;
  TokenMaker maker_;
  std::vector<FakeKeySource*> sources_;
  policy::Policy policy_ = policy::Policy::Default(1);
  std::unique_ptr<Authorizer> authorizer_;
};

}  // namespace gatehouse::engine
