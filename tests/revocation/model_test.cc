#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/revocation/index.h"
#include "server/revocation/sqlite_store.h"
#include "tests/revocation/store_testing.h"
#include "tests/revocation/temp_folder.h"
#include "tests/support/fake_clock.h"

// Random Revoke, Reinstate and Verify of many threads at once, with time passing, clean-up
// and restarts between, against a simple model. Also against stores that are broken on
// purpose, where it must find that they are.
namespace gatehouse::revocation {
namespace {

constexpr absl::Duration kTokenLife = absl::Minutes(15);
constexpr absl::Duration kKeep = absl::Hours(1);
constexpr int kThreads = 4;
constexpr int kRounds = 12;
constexpr int kStepsOfARound = 250;

// ---- The model: a page that knows nothing of tags, marks or tables. ----

struct ModelFact {
  std::string id = {};
  bool suspends = false;
  int64_t issued_until = kAll;
  absl::Time end = {};
  bool reinstated = false;
};

// What one subject of one issuer has had done to it.
class Model {
 public:
  std::vector<ModelFact> facts = {};

  // Whether a token that was issued at `issued_at` and is good by its times at `now` is
  // refused. Nullopt where it may be either: a fact that covers all has ended, and may
  // have been cleaned up.
  std::optional<bool> Refuses(int64_t issued_at, absl::Time now) const {
    std::optional<bool> refuses = false;
    for (const ModelFact& fact : facts) {
      if (fact.reinstated) continue;
      const bool has_ended = now >= fact.end;
      if (fact.suspends && has_ended) continue;
      if (!fact.suspends && issued_at > fact.issued_until) continue;
      if (!has_ended || fact.issued_until != kAll) return true;
      refuses = std::nullopt;
    }
    return refuses;
  }
};

// ---- What is under test, whole or broken. ----

struct Breakage {
  bool acknowledges_early = false;
  bool forgets_the_issuer = false;
  bool forgets_reinstatements = false;
  bool forgets_suspensions = false;
};

class Engine {
 public:
  explicit Engine(Breakage broken) : broken_(broken) {
    const absl::Status created = CreateSqliteDatabase(path_);
    EXPECT_TRUE(created.ok()) << created;
    Start();
  }

  void Restart() {
    store_.reset();
    Start();
  }

  Tag TagOf(int issuer, const std::string& subject) const {
    return MakeTag(TagKind::kSubject,
                   broken_.forgets_the_issuer ? "" : absl::StrCat("https://", issuer), subject);
  }

  // The id of the fact that refuses now.
  std::string Revoke(int issuer, const std::string& subject, const ModelFact& wanted) {
    NewFact fact = SubjectFact(subject, wanted.issued_until, wanted.end);
    fact.issuer = absl::StrCat("https://", issuer);
    fact.tag = TagOf(issuer, subject);
    fact.suspends = wanted.suspends;
    if (broken_.forgets_suspensions && fact.suspends) fact.end_time = clock_.Now();
    if (broken_.acknowledges_early) {
      store_->Append(std::move(fact), [](const auto&) {});
      return "";
    }
    const auto result = AppendAndWait(*store_, std::move(fact));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->fact.id : "";
  }

  void Reinstate(const std::string& id) {
    if (broken_.forgets_reinstatements || id.empty()) return;
    Promised<absl::StatusOr<ReinstateResult>> result;
    store_->Reinstate(id, "model", "", [&](auto r) { result.Set(std::move(r)); });
    const auto done = result.Take();
    EXPECT_TRUE(done.ok()) << done.status();
  }

  // As the engine asks: the index, and then whether what it may no longer know is past.
  bool Refuses(int issuer, const std::string& subject, int64_t issued_at) const {
    const absl::Time now = clock_.Now();
    if (index_->IsRevoked({.tags = {TagOf(issuer, subject)}, .issued_at = issued_at}, now)) {
      return true;
    }
    return absl::FromUnixSeconds(issued_at) + kTokenLife + RevocationIndex::kMargin <
           index_->cleaned_until();
  }

  FakeClock& clock() { return clock_; }
  int64_t entries() const { return index_->size(); }

 private:
  void Start() {
    index_ = std::make_unique<RevocationIndex>();
    index_->SawGoodToken();
    SqliteOptions options;
    options.path = path_;
    options.saw_good_token = [this] { return index_->saw_good_token(); };
    options.take_refused_sessions = [this] { return index_->TakeRefusedSessions(); };
    auto store = OpenSqliteStore(options, clock_, *index_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  const Breakage broken_;
  TempFolder folder_;
  std::string path_ = folder_.File("gatehouse.db");
  FakeClock clock_{kStart};
  std::unique_ptr<RevocationIndex> index_;
  std::unique_ptr<RevocationStore> store_;
};

// ---- The run. ----

struct Counts {
  std::atomic<int64_t> revoked = 0, suspended = 0, reinstated = 0;
  std::atomic<int64_t> refused = 0, passed = 0;  // as the model says
  std::atomic<int64_t> disagreements = 0;
};

// The subjects that one thread alone touches, under names that other threads use too,
// with another issuer: so what it knows of them is exact at any time.
class Worker {
 public:
  Worker(Engine& engine, Counts& counts, int issuer)
      : engine_(engine), counts_(counts), issuer_(issuer), random_(static_cast<uint64_t>(issuer)) {}

  void Step() {
    const std::string subject = absl::StrCat("u", random_() % 40);
    Model& model = models_[subject];
    switch (random_() % 8) {
      case 0:
        Revoke(subject, model);
        break;
      case 1:
        if (!model.facts.empty()) {
          ModelFact& fact = model.facts[random_() % model.facts.size()];
          if (!fact.reinstated && !fact.id.empty() && fact.end > engine_.clock().Now()) {
            engine_.Reinstate(fact.id);
            // All that asked for it hold the same one.
            for (ModelFact& one : model.facts) one.reinstated |= one.id == fact.id;
            ++counts_.reinstated;
          }
        }
        break;
      default:
        Check(subject, model);
    }
    // What was just done is seen by whoever asks now.
    Check(subject, model);
  }

  void CheckAll() {
    for (int i = 0; i < 40; ++i) {
      const std::string subject = absl::StrCat("u", i);
      Check(subject, models_[subject]);
    }
  }

 private:
  void Revoke(const std::string& subject, Model& model) {
    const absl::Time now = engine_.clock().Now();
    ModelFact fact;
    switch (random_() % 3) {
      case 0:
        fact.issued_until = absl::ToUnixSeconds(now) - static_cast<int64_t>(random_() % 900);
        fact.end = now + kKeep;
        break;
      case 1:
        fact.end = now + kKeep;
        break;
      default:
        fact.suspends = true;
        fact.end = now + absl::Seconds(static_cast<int64_t>(random_() % 1200) + 1);
        ++counts_.suspended;
    }
    fact.id = engine_.Revoke(issuer_, subject, fact);
    model.facts.push_back(fact);
    ++counts_.revoked;
  }

  // Of tokens that are good by their times.
  void Check(const std::string& subject, const Model& model) {
    const absl::Time now = engine_.clock().Now();
    const int64_t second = absl::ToUnixSeconds(now);
    for (const int64_t age : {int64_t{0}, int64_t{300}, static_cast<int64_t>(random_() % 899)}) {
      const std::optional<bool> expected = model.Refuses(second - age, now);
      if (!expected.has_value()) continue;
      ++(*expected ? counts_.refused : counts_.passed);
      if (engine_.Refuses(issuer_, subject, second - age) != expected) ++counts_.disagreements;
    }
  }

  Engine& engine_;
  Counts& counts_;
  const int issuer_;
  std::mt19937_64 random_;
  std::map<std::string, Model> models_;
};

// How often the engine and the model disagreed.
int64_t Run(Breakage broken, Counts& counts) {
  Engine engine(broken);
  std::vector<Worker> workers;
  workers.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) workers.emplace_back(engine, counts, t);
  std::mt19937_64 random(20261121);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::thread> threads;
    threads.reserve(workers.size());
    for (Worker& worker : workers) {
      threads.emplace_back([&worker] {
        for (int step = 0; step < kStepsOfARound; ++step) worker.Step();
      });
    }
    for (std::thread& thread : threads) thread.join();
    // Up to past the end of lasting facts, which clean-up then takes away.
    engine.clock().Advance(absl::Seconds(static_cast<int64_t>(random() % 3000)));
    if (round % 3 == 2) engine.Restart();
    for (Worker& worker : workers) worker.CheckAll();
  }
  return counts.disagreements;
}

TEST(Model, RevocationAgreesWithItWhateverHappensAtOnce) {
  Counts counts;
  EXPECT_EQ(Run({}, counts), 0);
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
  EXPECT_GT(Run(GetParam().second, counts), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Model, Broken,
    testing::Values(std::pair("AcknowledgesBeforeTheCommit", Breakage{.acknowledges_early = true}),
                    std::pair("ForgetsTheIssuerInATag", Breakage{.forgets_the_issuer = true}),
                    std::pair("ForgetsReinstatements", Breakage{.forgets_reinstatements = true}),
                    std::pair("ForgetsSuspensions", Breakage{.forgets_suspensions = true})),
    [](const auto& info) { return info.param.first; });

}  // namespace
}  // namespace gatehouse::revocation
