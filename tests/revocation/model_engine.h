#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/engine/authorizer.h"
#include "server/revocation/index.h"
#include "server/revocation/sqlite_store.h"
#include "tests/revocation/store_testing.h"
#include "tests/revocation/temp_folder.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_key_source.h"
#include "tests/support/token_maker.h"

// What model_test.cc tests: a store and the engine that asks of it, whole or broken, and their
// clock.
namespace gatehouse::revocation {

inline constexpr int64_t kTokenLife = 15 * 60;
inline constexpr absl::Duration kKeep = absl::Hours(1);
inline constexpr int kThreads = 4;

inline std::string UrlOf(int issuer) { return absl::StrCat("https://", issuer); }

// What the model knows of one.
struct ModelFact {
  std::string id = {};
  bool suspends = false;
  int64_t issued_until = kAll;
  absl::Time end = {};
  bool reinstated = false;
  // It may have been prolonged before it was taken back, by a fact with another id.
  bool lives_on = false;
};

// When it is, and the latest that it ever was by this clock.
struct Moment {
  absl::Time now;
  absl::Time latest;
};

struct Breakage {
  bool acknowledges_early = false;
  bool mixes_up_issuers = false;
  bool forgets_reinstatements = false;
  bool forgets_suspensions = false;
  bool remembers_over_suspensions = false;  // see Worker
};

// Of a subject, in a session, with an id; those of one thread alone.
struct Token {
  std::string text;
  int64_t issued_at;
  std::array<std::pair<TagKind, std::string>, 3> names;
};

// A store, its index, the engine, and the clock of all. Thread-safe but for what says so.
class Engine {
 public:
  explicit Engine(Breakage broken) : broken_(broken) {
    const absl::Status created = CreateSqliteDatabase(path_);
    EXPECT_TRUE(created.ok()) << created;
    Start();
  }

  // While nobody asks.
  void Restart() {
    store_.reset();
    Start();
  }

  // The id of the fact that refuses now; nullopt where there is none, since it would end before
  // what has been cleaned up.
  std::optional<std::string> Revoke(int issuer, TagKind kind, const std::string& name,
                                    const ModelFact& wanted) {
    NewFact fact = SubjectFact(name, wanted.issued_until, wanted.end);
    fact.kind = kind;
    fact.issuer = UrlOf(issuer);
    const int tagged = broken_.mixes_up_issuers ? (issuer + 1) % kThreads : issuer;
    fact.tag = MakeTag(kind, UrlOf(tagged), name);
    fact.suspends = wanted.suspends;
    if (broken_.forgets_suspensions && fact.suspends) fact.end_time = clock_.Now();
    if (broken_.acknowledges_early) {
      store_->Append(std::move(fact), [](const auto&) {});
      return "";
    }
    const auto result = AppendAndWait(*store_, std::move(fact));
    if (absl::IsFailedPrecondition(result.status()) && wanted.end <= Read().latest) {
      return std::nullopt;
    }
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->fact.id : "";
  }

  // Whether it was there to be taken back.
  bool Reinstate(const ModelFact& fact) {
    if (broken_.forgets_reinstatements) return true;
    Promised<absl::StatusOr<ReinstateResult>> result;
    store_->Reinstate(fact.id, "model", "", [&](auto r) { result.Set(std::move(r)); });
    const auto done = result.Take();
    // One that was made to end at once can no longer be taken back.
    EXPECT_TRUE(done.ok() || fact.end <= Read().latest || broken_.forgets_suspensions)
        << done.status();
    return done.ok();
  }

  bool Refuses(const Token& token) {
    const engine::Examination examined = authorizer_->Examine(token.text);
    EXPECT_EQ(examined.kind, engine::Examination::Kind::kDecided) << examined.reason;
    EXPECT_NE(examined.code, policy::Code::kTokenInvalid) << examined.reason;
    return examined.code != policy::Code::kOk;
  }

  Token Mint(int issuer, std::array<std::pair<TagKind, std::string>, 3> names,
             int64_t issued_at) const {
    Token token{"", issued_at, std::move(names)};
    token.text = maker_.Sign(absl::StrCat(
        R"({"iss":")", UrlOf(issuer), R"(","aud":"api","sub":")", token.names[0].second,
        R"(","sid":")", token.names[1].second, R"(","jti":")", token.names[2].second, R"(","iat":)",
        issued_at, R"(,"exp":)", issued_at + kTokenLife, "}"));
    return token;
  }

  // The time, and what `look` finds at exactly that.
  template <typename Look>
  void At(const Look& look) {
    while (true) {
      const int64_t before = moves_;
      const Moment moment = Read();
      const auto answer = look(moment);
      if (moves_ == before && before % 2 == 0) return answer();
    }
  }
  Moment Read() const { return {clock_.Now(), absl::FromUnixSeconds(latest_)}; }

  // The clock, by one thread at a time.
  void Advance(int64_t seconds) {
    ++moves_;
    latest_ = std::max(latest_.load(), absl::ToUnixSeconds(clock_.Now()) + seconds);
    clock_.Advance(absl::Seconds(seconds));
    ++moves_;
  }
  void SetBack(int64_t seconds) {
    ++moves_;
    clock_.SetWall(clock_.Now() - absl::Seconds(seconds));
    ++moves_;
  }
  void SetForward() {
    ++moves_;
    clock_.SetWall(absl::FromUnixSeconds(latest_));
    ++moves_;
  }

  int64_t revision() const { return index_->revision(); }
  const Breakage& broken() const { return broken_; }

 private:
  void Start() {
    authorizer_.reset();
    index_ = std::make_unique<RevocationIndex>();
    SqliteOptions options;
    options.path = path_;
    options.keep = [] { return kKeep; };
    options.saw_good_token = [this] { return index_->saw_good_token(); };
    options.take_refused_sessions = [this] { return index_->TakeRefusedSessions(); };
    auto store = OpenSqliteStore(options, clock_, *index_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    std::vector<engine::TrustedIssuer> issuers;
    issuers.reserve(kThreads);
    for (int issuer = 0; issuer < kThreads; ++issuer) {
      auto keys = std::make_shared<FakeKeySource>();
      keys->Set(jose::ParseJwks(maker_.Jwks())->keys);
      jose::IssuerRules rules;
      rules.issuer = UrlOf(issuer);
      rules.audiences = {"api"};
      rules.algorithms = {jose::Algorithm::kEdDsa};
      issuers.push_back({std::move(rules), std::move(keys)});
    }
    authorizer_ = std::make_unique<engine::Authorizer>(
        std::move(issuers), *index_, clock_,
        engine::Authorizer::Options{.cache_bytes = size_t{4} * 1024 * 1024,
                                    .render = [](const auto&) { return std::string(); }});
  }

  const Breakage broken_;
  const TokenMaker maker_{jose::Algorithm::kEdDsa};
  TempFolder folder_;
  std::string path_ = folder_.File("gatehouse.db");
  FakeClock clock_{kStart};
  std::atomic<int64_t> latest_ = absl::ToUnixSeconds(kStart);
  std::atomic<int64_t> moves_ = 0;  // odd: it is being moved
  std::unique_ptr<RevocationIndex> index_;
  std::unique_ptr<RevocationStore> store_;
  std::unique_ptr<engine::Authorizer> authorizer_;
};

}  // namespace gatehouse::revocation
