#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/revocation/model_engine.h"

// Random Revoke, Reinstate and Verify of many threads at once, through the engine with all that
// it remembers, while time passes and the clock is set back, with clean-up and restarts between,
// against a simple model. Also against stores and a memory that are broken on purpose, where it
// must find that they are.
namespace gatehouse::revocation {
namespace {

constexpr int kSubjects = 24;
constexpr int kRounds = 12;
constexpr int kStepsOfARound = 250;

// ---- The model: a page that knows nothing of tags, marks or tables. ----

// What one subject, session or token id of one issuer has had done to it.
class Model {
 public:
  std::vector<ModelFact> facts = {};

  // Whether a token that was issued at `issued_at` and is good by its times is refused.
  // Nullopt where it may be either: a fact that covers all has ended by some clock, and may
  // have been cleaned up.
  std::optional<bool> Refuses(int64_t issued_at, const Moment& moment) const {
    std::optional<bool> refuses = false;
    for (const ModelFact& fact : facts) {
      if (fact.lives_on) refuses = std::nullopt;
      if (fact.reinstated) continue;
      if (fact.suspends && moment.now >= fact.end) continue;
      if (!fact.suspends && issued_at > fact.issued_until) continue;
      if (fact.suspends || moment.latest < fact.end || fact.issued_until != kAll) return true;
      refuses = std::nullopt;
    }
    return refuses;
  }
};

// ---- The run. ----

struct Counts {
  std::atomic<int64_t> revoked = 0, suspended = 0, reinstated = 0;
  std::atomic<int64_t> refused = 0, passed = 0;  // as the model says
  std::atomic<int64_t> disagreements = 0;
};

// The names that one thread alone touches, which other threads use too, with another issuer: so
// what it knows of them is exact at any time.
class Worker {
 public:
  Worker(Engine& engine, Counts& counts, int issuer)
      : engine_(engine), counts_(counts), issuer_(issuer), random_(static_cast<uint64_t>(issuer)) {}

  void Step() {
    const int subject = static_cast<int>(random_() % kSubjects);
    switch (random_() % 8) {
      case 0:
        Revoke(subject);
        break;
      case 1:
        Reinstate(subject);
        break;
      default:
        Check(subject);
    }
    // What was just done is seen by whoever asks now.
    Check(subject);
  }

  void CheckAll() {
    for (int subject = 0; subject < kSubjects; ++subject) Check(subject);
  }

 private:
  using Names = std::array<std::pair<TagKind, std::string>, 3>;

  // Of one of a subject's tokens, in the order of Token.
  Names SomeNames(int subject) {
    return {{{TagKind::kSubject, absl::StrCat("u", subject)},
             {TagKind::kSession, absl::StrCat("s", subject, "-", random_() % 2)},
             {TagKind::kTokenId, absl::StrCat("t", subject, "-", random_() % 3)}}};
  }

  void Revoke(int subject) {
    const absl::Time now = engine_.Read().now;
    const auto name = SomeNames(subject)[random_() % 3];
    ModelFact fact;
    fact.end = now + kKeep;
    switch (random_() % 3) {
      case 0:
        if (name.first == TagKind::kSubject) {
          fact.issued_until = absl::ToUnixSeconds(now) - static_cast<int64_t>(random_() % 900);
        }
        break;
      case 1:
        break;
      default:
        fact.suspends = true;
        fact.end = now + absl::Seconds(static_cast<int64_t>(random_() % 1200) + 1);
        ++counts_.suspended;
    }
    std::optional<std::string> id = engine_.Revoke(issuer_, name.first, name.second, fact);
    if (!id.has_value()) return;
    fact.id = *std::move(id);
    models_[name].facts.push_back(fact);
    ++counts_.revoked;
  }

  void Reinstate(int subject) {
    const auto name = SomeNames(subject)[random_() % 3];
    std::vector<ModelFact>& facts = models_[name].facts;
    if (facts.empty()) return;
    const ModelFact fact = facts[random_() % facts.size()];
    if (fact.reinstated || fact.id.empty() || fact.end <= engine_.Read().now) return;
    if (!engine_.Reinstate(fact)) return;
    const bool may_live_on = name.first == TagKind::kSession && !fact.suspends &&
                             engine_.Read().latest >= fact.end - kKeep / 5;
    for (ModelFact& one : facts) {
      // All that asked for it hold the same one.
      if (one.id != fact.id) continue;
      one.reinstated = true;
      one.lives_on = may_live_on;
    }
    ++counts_.reinstated;
  }

  void Check(int subject) {
    std::vector<Token>& tokens = tokens_[subject];
    const int64_t second = absl::ToUnixSeconds(engine_.Read().now);
    if (tokens.size() < 3 || random_() % 4 == 0) {
      if (tokens.size() == 6) tokens.erase(tokens.begin());
      const auto age = static_cast<int64_t>(random_() % kTokenLife);
      tokens.push_back(engine_.Mint(issuer_, SomeNames(subject), second - age));
    }
    for (const Token& token : tokens) {
      engine_.At([&](const Moment& moment) {
        const std::optional<bool> expected = Expected(token, moment);
        const bool refused = expected.has_value() && IsRefused(token);
        return [this, expected, refused] {
          if (!expected.has_value()) return;
          ++(*expected ? counts_.refused : counts_.passed);
          if (refused != *expected) ++counts_.disagreements;
        };
      });
    }
  }

  // Nullopt also of one that is not good by its times.
  std::optional<bool> Expected(const Token& token, const Moment& moment) {
    const int64_t now = absl::ToUnixSeconds(moment.now);
    const int64_t end = token.issued_at + kTokenLife;
    if (token.issued_at > now || now >= end) return std::nullopt;
    std::optional<bool> expected = false;
    for (const auto& name : token.names) {
      const std::optional<bool> one = models_[name].Refuses(token.issued_at, moment);
      if (one == true) return true;
      if (!one.has_value()) expected = std::nullopt;
    }
    // It may be expired by what was cleaned up.
    if (absl::FromUnixSeconds(end) + RevocationIndex::kMargin < moment.latest) return std::nullopt;
    return expected;
  }

  bool IsRefused(const Token& token) {
    const int64_t revision = engine_.revision();
    // What a memory would do that does not look whether there is a suspension.
    if (engine_.broken().remembers_over_suspensions) {
      const auto known = good_at_.find(token.text);
      if (known != good_at_.end() && known->second == revision) return false;
    }
    const bool refused = engine_.Refuses(token);
    if (!refused) good_at_[token.text] = revision;
    return refused;
  }

  Engine& engine_;
  Counts& counts_;
  const int issuer_;
  std::mt19937_64 random_;
  std::map<std::pair<TagKind, std::string>, Model> models_;
  std::map<int, std::vector<Token>> tokens_;
  std::map<std::string, int64_t> good_at_;
};

// How often the engine and the model disagreed.
int64_t CountDisagreements(Breakage broken, Counts& counts) {
  Engine engine(broken);
  std::vector<Worker> workers;
  workers.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) workers.emplace_back(engine, counts, t);
  std::mt19937_64 random(20261121);
  const auto up_to = [&](int64_t most) {
    return 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(most));
  };
  const auto check_all = [&] {
    for (Worker& worker : workers) worker.CheckAll();
  };
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::thread> threads;
    threads.reserve(workers.size());
    for (Worker& worker : workers) {
      threads.emplace_back([&, moves_clock = &worker == workers.data()] {
        for (int step = 0; step < kStepsOfARound; ++step) {
          if (moves_clock && step % 10 == 9) engine.Advance(step % 60 + 1);
          worker.Step();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    engine.SetForward();
    // Up to past the end of lasting facts, which clean-up then takes away.
    engine.Advance(up_to(round % 2 == 0 ? 3000 : 600));
    if (round % 3 == 2) engine.Restart();
    check_all();
    if (round % 4 == 3) continue;
    engine.SetBack(up_to(round % 4 == 2 ? 3600 : 600));
    check_all();
    if (round % 4 == 0) engine.SetForward();  // else it stays set back in the next round
  }
  return counts.disagreements;
}

TEST(Model, RevocationAgreesWithItWhateverHappensAtOnce) {
  Counts counts;
  EXPECT_EQ(CountDisagreements({}, counts), 0);
  const int64_t asked = counts.refused + counts.passed;
  std::printf("%ld revoked, of these %ld suspended; %ld reinstated; asked %ld, refused %ld\n",
              counts.revoked.load(), counts.suspended.load(), counts.reinstated.load(), asked,
              counts.refused.load());
  EXPECT_GT(counts.refused * 10, asked);
  EXPECT_GT(counts.passed * 10, asked);
  EXPECT_GT(counts.reinstated, 100);
}

class Broken : public testing::TestWithParam<std::pair<const char*, Breakage>> {};

TEST_P(Broken, IsFound) {
  Counts counts;
  EXPECT_GT(CountDisagreements(GetParam().second, counts), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Model, Broken,
    testing::Values(std::pair("AcknowledgesBeforeTheCommit", Breakage{.acknowledges_early = true}),
                    std::pair("MixesUpIssuers", Breakage{.mixes_up_issuers = true}),
                    std::pair("ForgetsReinstatements", Breakage{.forgets_reinstatements = true}),
                    std::pair("ForgetsSuspensions", Breakage{.forgets_suspensions = true}),
                    std::pair("RemembersOverSuspensions",
                              Breakage{.remembers_over_suspensions = true})),
    [](const auto& info) { return info.param.first; });

}  // namespace
}  // namespace gatehouse::revocation
