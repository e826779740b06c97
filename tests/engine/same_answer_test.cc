#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/engine/engine_fixture.h"

// However a question is asked, its answer is the same: first sight, memory, with and
// without the steps, with and without the signature's being paid for.
namespace gatehouse::engine {
namespace {

using policy::Code;
using revocation::TagKind;
using Kind = Examination::Kind;

struct Sample {
  std::string name;
  std::string token;
};

class SameAnswerTest : public EngineTest {
 protected:
  SameAnswerTest() { Rebuild(); }

  // An authorizer that remembers nothing.
  void Rebuild() {
    jose::IssuerRules lax = RulesFor("https://lax.example");
    lax.allow_missing_iat = true;
    lax.algorithms = {jose::Algorithm::kEdDsa, jose::Algorithm::kEs256};
    Build({RulesFor(kIssuer), lax, RulesFor("https://keyless.example")}, {"api", "todo", "notes"});
    sources_[0]->Set(SetOf({&maker_}));
    sources_[1]->Set(SetOf({&maker_, &es256_}));
  }

  std::vector<Sample> Samples() const {
    const std::string lax = "https://lax.example";
    std::vector<Sample> out = {
        {"Good", Token()},
        {"SoonExpired", Token(kNow - 900, kNow - 9)},
        {"JustExpired", Token(kNow - 900, kNow - 10)},
        {"LongExpired", Token(kNow - 9000, kNow - 8000)},
        {"IssuedAhead", Token(kNow + 11, kNow + 900)},
        {"NotBefore", maker_.Sign(Claims(kNow, kNow + 900, R"(,"nbf":1800000011)"))},
        {"LivesTooLong", maker_.Sign(Claims(kNow, kNow + 90'000))},
        {"OtherSession", maker_.Sign(Claims(kNow, kNow + 900, R"(,"roles":["a","b"])"))},
        {"Bound", maker_.Sign(Claims(kNow, kNow + 900, R"(,"cnf":{})"))},
        {"WrongRoles", maker_.Sign(Claims(kNow, kNow + 900, R"(,"roles":7)"))},
        {"Untrusted", maker_.Sign(Claims(kNow, kNow + 900, "", "https://zoo.example"))},
        {"Keyless", maker_.Sign(Claims(kNow, kNow + 900, "", "https://keyless.example"))},
        {"OtherIssuer", es256_.Sign(Claims(kNow, kNow + 900, "", lax))},
        {"NotListed", es256_.Sign(Claims())},
        {"UnknownKid", stranger_.Sign(Claims())},
        {"Forged", forger_.Sign(Claims())},
        {"ForgedExpired", forger_.Sign(Claims(kNow - 900, kNow - 100))},
        {"ForgedLivesTooLong", forger_.Sign(Claims(kNow, kNow + 90'000))},
        {"NoKid", maker_.Sign(R"({"alg":"EdDSA"})", Claims())},
        {"NoKidForged", forger_.Sign(R"({"alg":"EdDSA"})", Claims())},
        {"Scheme", "bearer " + Token()},
        {"Empty", ""},
        {"Garbage", "x.y.z"},
        {"Long", std::string(9000, 'a')},
        {"NoIat", maker_.Sign(absl::StrCat(R"({"iss":")", lax,
                                           R"(","aud":"api","sub":"ada","exp":1800000900})"))},
        {"NoIatStrict",
         maker_.Sign(absl::StrCat(R"({"iss":")", kIssuer,
                                  R"(","aud":"api","sub":"ada","exp":1800000900})"))},
    };
    for (const char* aud : {R"("zoo")", R"(["zoo","api"])", R"(["todo","api"])", R"("todo")"}) {
      out.push_back(
          {absl::StrCat("Audience", aud),
           maker_.Sign(absl::StrCat(R"({"iss":")", kIssuer, R"(","aud":)", aud,
                                    R"(,"sub":"bob","iat":1799999000,"exp":1800000900})"))});
    }
    return out;
  }

  static std::string Text(const Examination& out) {
    return absl::StrCat(
        "kind ", static_cast<int>(out.kind), " code ", static_cast<int>(out.code), " token ",
        out.token != nullptr ? out.token->principal.subject : "none", " issuer ",
        out.issuer != nullptr ? out.issuer->rules.issuer : "none", " identity ",
        out.identity.has_value() ? absl::StrCat((*out.identity)[0], "-", (*out.identity)[3]) : "",
        " revision ", out.revision, " waits ", out.wait_for != nullptr);
  }

  // Every token, asked in every way; `more` is what the ways share.
  void Compare(const std::string& when, const Ask& more) {
    const policy::Question question{"task/1", "ada", "read", ""};
    for (const Sample& sample : Samples()) {
      SCOPED_TRACE(absl::StrCat(when, " ", sample.name, " audiences ", more.audiences));
      const Examination first = Authorize(sample.token, question, more);
      const Examination again = Authorize(sample.token, question, more);
      EXPECT_EQ(Text(first), Text(again));
      EXPECT_EQ(first.reason, again.reason);

      Ask ask = more;
      ask.effort = Effort::kKnownOnly;
      const Examination known = Authorize(sample.token, question, ask);
      if (known.kind != Kind::kUnknown) EXPECT_EQ(Text(first), Text(known));
      if (again.cache_hit) EXPECT_EQ(known.kind, Kind::kDecided);

      ask = more;
      Trace trace;
      ask.trace = &trace;
      const Examination told = Authorize(sample.token, question, ask);
      EXPECT_EQ(Text(first), Text(told));
      ExpectTold(told, trace);
      const Examination after = Authorize(sample.token, question, more);
      EXPECT_EQ(Text(first), Text(after));
      if (again.code == Code::kOk) EXPECT_TRUE(after.cache_hit);
    }
  }

  static void ExpectTold(const Examination& out, const Trace& trace) {
    ASSERT_FALSE(trace.empty());
    const bool good = out.kind == Kind::kDecided && out.code == Code::kOk;
    EXPECT_EQ(trace.back().passed, good);
    for (size_t i = 0; i < trace.size(); ++i) {
      if (i + 1 < trace.size()) EXPECT_TRUE(trace[i].passed) << trace[i].name;
      EXPECT_FALSE(trace[i].detail.empty()) << trace[i].name;
      // Nothing of the token's own: these stand in no name of ours.
      for (const char* own : {"ada", "bob", "acme", "t1", "s1", "zoo", "eyJ"}) {
        // A kid of our set is any text.
        if (trace[i].name == "key" || trace[i].name == "signature") continue;
        EXPECT_EQ(trace[i].detail.find(own), std::string::npos) << trace[i].detail;
      }
      EXPECT_EQ(trace[i].detail.find(kStrangersKid), std::string::npos);
    }
  }

  void CompareAll(const std::string& when) {
    for (const AudienceMask audiences : {AudienceMask{0}, AudienceMask{1}, AudienceMask{2}}) {
      for (const KeyNews news : {KeyNews::kNone, KeyNews::kFetched, KeyNews::kFailed}) {
        Compare(when, {.news = news, .audiences = audiences});
      }
    }
  }

  static constexpr char kStrangersKid[] = "strangers-kid";
  TokenMaker es256_{jose::Algorithm::kEs256};
  TokenMaker stranger_{jose::Algorithm::kEdDsa, kStrangersKid};
  TokenMaker forger_{jose::Algorithm::kEdDsa, maker_.kid()};
};

TEST_F(SameAnswerTest, WhenNothingIsRevoked) { CompareAll("at first"); }

TEST_F(SameAnswerTest, WhenSomethingIsRevoked) {
  CompareAll("before");
  Commit(TagKind::kSession, "s1", kNow - 5);
  CompareAll("some");
  Commit(TagKind::kSubject, "ada");
  CompareAll("all");
}

TEST_F(SameAnswerTest, WhenTheClockJumpsAYearAndBack) {
  CompareAll("now");
  clock_.SetWall(absl::FromUnixSeconds(kNow) + absl::Hours(24 * 365));
  CompareAll("a year ahead");
  clock_.SetWall(absl::FromUnixSeconds(kNow) - absl::Hours(24 * 365));
  CompareAll("a year back");
  clock_.SetWall(absl::FromUnixSeconds(kNow));
  CompareAll("now again");
}

TEST_F(SameAnswerTest, WhenTheKeysChange) {
  CompareAll("old");
  sources_[0]->Set(SetOf({&forger_}));
  CompareAll("another key of the same kid");
  const TokenMaker added(jose::Algorithm::kEdDsa);
  sources_[0]->Set(SetOf({&added, &maker_}));
  CompareAll("the old one back, and a new one");
}

// An authorizer that has seen everything and one that has seen nothing agree.
TEST_F(SameAnswerTest, WhateverWasAskedBefore) {
  CompareAll("before");
  const std::vector<Sample> samples = Samples();
  std::vector<std::string> seen;
  seen.reserve(samples.size());
  for (const Sample& sample : samples) seen.push_back(Text(authorizer_->Examine(sample.token)));
  Rebuild();
  std::vector<std::string> fresh;
  fresh.reserve(samples.size());
  for (const Sample& sample : samples) fresh.push_back(Text(authorizer_->Examine(sample.token)));
  EXPECT_EQ(seen, fresh);
}

TEST_F(SameAnswerTest, AJumpOfTheClockLosesNothingForGood) {
  const std::string token = Token();
  ASSERT_EQ(authorizer_->Examine(token).code, Code::kOk);
  clock_.SetWall(absl::FromUnixSeconds(kNow) + absl::Hours(24 * 365));
  EXPECT_EQ(authorizer_->Examine(token).code, Code::kTokenExpired);
  EXPECT_EQ(authorizer_->cache().size(), 0u) << "what has expired is kept apart";
  EXPECT_EQ(authorizer_->Examine(token).code, Code::kTokenExpired);
  clock_.SetWall(absl::FromUnixSeconds(kNow));
  EXPECT_EQ(authorizer_->Examine(token).code, Code::kOk);
  EXPECT_TRUE(authorizer_->Examine(token).cache_hit);
  clock_.SetWall(absl::FromUnixSeconds(kNow) - absl::Hours(24 * 365));
  EXPECT_EQ(authorizer_->Examine(token).code, Code::kTokenInvalid);
  clock_.SetWall(absl::FromUnixSeconds(kNow));
  EXPECT_TRUE(authorizer_->Examine(token).cache_hit);
}

}  // namespace
}  // namespace gatehouse::engine
