// How ended facts leave a SQLite store, and that no clock makes one leave too early.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/mutex.h"
#include "server/revocation/cleanup_gate.h"
#include "server/revocation/sqlite_store.h"
#include "tests/revocation/child.h"
#include "tests/revocation/faulty_vfs.h"
#include "tests/revocation/store_testing.h"
#include "tests/revocation/temp_folder.h"
#include "tests/support/fake_clock.h"

namespace gatehouse::revocation {
namespace {

constexpr absl::Duration kYear = absl::Hours(24 * 365);
constexpr absl::Duration kAudit = absl::Hours(24);
constexpr absl::Duration kKeep = absl::Hours(720);

class SqliteCleanup : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(CreateSqliteDatabase(path_).ok()); }

  void Open(RevocationListener& listener) {
    saw_good_token_ = false;
    auto store = OpenSqliteStore({.path = path_,
                                  .audit = kAudit,
                                  .keep = [this] { return keep_.load(); },
                                  .saw_good_token = [this] { return saw_good_token_.load(); },
                                  .take_refused_sessions =
                                      [this] {
                                        MutexLock lock(mu_);
                                        return std::exchange(refused_, {});
                                      },
                                  .counters = &counters_},
                                 clock_, listener);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void Reopen() {
    store_.reset();
    listener_ = std::make_unique<RecordingListener>();
    Open(*listener_);
  }
  // Until the clock is believed; the first time that is at kStart.
  void Believe() {
    saw_good_token_ = true;
    Pass(CleanupGate::kSettled);
  }
  void ReopenAndBelieve() {
    Reopen();
    Believe();
  }
  Fact Append(const NewFact& fact) {
    const auto result = AppendAndWait(*store_, fact);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->fact : Fact();
  }
  // Until all that was due within `d` has been done.
  void Pass(absl::Duration d) {
    clock_.Advance(d);
    clock_.AwaitIdle();
  }
  void SetWall(absl::Time now) {
    clock_.SetWall(now);
    // Rounds go by, at the time that it says.
    for (int i = 0; i < 3; ++i) Pass(absl::Minutes(1));
  }
  void Refuse(const Tag& session) {
    MutexLock lock(mu_);
    refused_.push_back(session);
  }
  std::string Ask(const std::string& sql) const {
    Child shell({"sqlite3", path_, sql});
    std::string line;
    EXPECT_TRUE(shell.ReadLine(line));
    return line;
  }

  TempFolder folder_;
  std::string path_ = folder_.File("gatehouse.db");
  FakeClock clock_{kStart - CleanupGate::kSettled};
  std::atomic<absl::Duration> keep_ = kKeep;
  std::atomic<bool> saw_good_token_ = false;
  StoreCounters counters_;
  Mutex mu_;
  std::vector<Tag> refused_ GH_GUARDED_BY(mu_);
  std::unique_ptr<RecordingListener> listener_;
  std::unique_ptr<RevocationStore> store_;
};

TEST_F(SqliteCleanup, AFactLeavesMemoryOnceItHasEndedAndNotBefore) {
  ReopenAndBelieve();
  const Fact fact = Append(SubjectFact("u1", 1000, kStart + absl::Minutes(10)));
  const Fact other = Append(SubjectFact("u2", 1000, kStart + absl::Hours(10)));
  Pass(absl::Minutes(10) - absl::Microseconds(1));
  EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
  Pass(absl::Minutes(1));
  EXPECT_EQ(listener_->On(fact.tag), Marks());
  EXPECT_EQ(listener_->On(other.tag), MarksOf(other));
  EXPECT_GE(listener_->cleaned_until(), fact.end_time);
  EXPECT_LE(listener_->cleaned_until(), clock_.Now());
  // Its revision is no change of an answer.
  EXPECT_EQ(listener_->changes().size(), 2);
  EXPECT_EQ(listener_->revision(), 2);
  EXPECT_EQ(AllFacts(*store_, {}).size(), 1);
  EXPECT_EQ(AllFacts(*store_).size(), 2);
  EXPECT_EQ(ReinstateAndWait(*store_, fact.id).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SqliteCleanup, WhatElseIsInForceOnTheTagStays) {
  ReopenAndBelieve();
  const Fact suspension = Append(Suspension("u1", kStart + absl::Minutes(10)));
  const Fact early = Append(SubjectFact("u1", 2000, kStart + absl::Minutes(20)));
  const Fact late = Append(SubjectFact("u1", 1000, kStart + absl::Minutes(30)));
  EXPECT_EQ(listener_->On(late.tag), MarksOf(suspension) | MarksOf(early));
  Pass(absl::Minutes(21));
  EXPECT_EQ(listener_->On(late.tag), MarksOf(suspension) | MarksOf(late));
  Pass(absl::Minutes(10));
  EXPECT_EQ(listener_->On(late.tag), MarksOf(suspension));
}

TEST_F(SqliteCleanup, NothingLeavesBeforeAGoodTokenWasSeenSinceTheStart) {
  Reopen();
  const Fact fact = Append(SubjectFact("u1", 1000, kStart + absl::Minutes(10)));
  Pass(absl::Hours(2));
  EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
  Reopen();
  Pass(absl::Hours(2));
  EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
  saw_good_token_ = true;
  Pass(absl::Minutes(1));
  EXPECT_EQ(listener_->On(fact.tag), Marks());
}

TEST_F(SqliteCleanup, AStartWithTheClockAYearAheadAndThenBackDropsNothing) {
  // Also when tokens of that clock are good, until it is set back within the hour.
  for (const bool is_shared : {false, true}) {
    clock_.SetWall(kStart);
    Reopen();
    const Fact fact = Append(SubjectFact("u1", 1000, kStart + absl::Hours(720)));
    store_.reset();
    clock_.SetWall(kStart + kYear);
    Reopen();
    saw_good_token_ = is_shared;
    Pass(is_shared ? CleanupGate::kSettled - absl::Microseconds(1) : absl::Hours(50));
    EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
    SetWall(kStart + absl::Minutes(3));
    Believe();
    EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
    Reopen();
    EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
    EXPECT_EQ(listener_->cleaned_until(), absl::InfinitePast());
  }
}

TEST_F(SqliteCleanup, AClockThatJumpsWhileItRunsDropsNothing) {
  ReopenAndBelieve();
  const Fact fact = Append(SubjectFact("u1", 1000, kStart + absl::Hours(720)));
  SetWall(kStart + kYear);
  EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
  EXPECT_EQ(AllFacts(*store_, {}).size(), 1);
  // However long, and though good tokens are seen.
  Pass(absl::Hours(50));
  EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
  SetWall(kStart - absl::Hours(1));
  EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
  SetWall(kStart);
  Reopen();
  EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
  EXPECT_EQ(listener_->cleaned_until(), absl::InfinitePast());
}

TEST_F(SqliteCleanup, WhatHasEndedLeavesAlsoWhileTheClockIsAYearAhead) {
  ReopenAndBelieve();
  const Fact fact = Append(SubjectFact("u1", 1000, kStart + absl::Minutes(10)));
  clock_.SetWall(kStart + kYear);
  Pass(absl::Minutes(10) - absl::Microseconds(1));
  EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
  Pass(absl::Minutes(1));
  EXPECT_EQ(listener_->On(fact.tag), Marks());
  EXPECT_LT(listener_->cleaned_until(), kStart + absl::Minutes(12));
}

TEST_F(SqliteCleanup, WhatWasCleanedUpStaysSoOverARestartAndAClockSetBack) {
  ReopenAndBelieve();
  const Fact fact = Append(SubjectFact("u1", 1000, kStart + absl::Minutes(10)));
  Pass(absl::Minutes(20));
  const absl::Time cleaned_until = listener_->cleaned_until();
  ASSERT_GE(cleaned_until, fact.end_time);
  store_.reset();
  clock_.SetWall(kStart);
  Reopen();
  EXPECT_EQ(listener_->tags(), 0);
  EXPECT_EQ(listener_->cleaned_until(), cleaned_until);
  EXPECT_TRUE(AllFacts(*store_, {}).empty());
  // It does not move back.
  clock_.SetWall(kStart - absl::Hours(2));
  Believe();
  Reopen();
  EXPECT_EQ(listener_->cleaned_until(), cleaned_until);
}

TEST_F(SqliteCleanup, ASuspensionIsInForceByTheClockAlsoWhenThatWasAheadAndIsSetBack) {
  ReopenAndBelieve();
  const Fact before = Append(Suspension("u1", kStart + absl::Minutes(10)));
  Append(SubjectFact("other", 1000, kStart + absl::Minutes(10)));
  Pass(absl::Minutes(20));
  const absl::Time cleaned_until = listener_->cleaned_until();
  ASSERT_GE(cleaned_until, kStart + absl::Minutes(10));
  store_.reset();
  clock_.SetWall(kStart);
  Reopen();
  EXPECT_EQ(listener_->On(before.tag), MarksOf(before));
  EXPECT_EQ(AllFacts(*store_, {}).size(), 1);
  const Fact after = Append(Suspension("u2", kStart + absl::Minutes(1)));
  EXPECT_EQ(listener_->On(after.tag), MarksOf(after));
  ASSERT_TRUE(ReinstateAndWait(*store_, before.id).ok());
  EXPECT_EQ(listener_->On(before.tag), Marks());
}

TEST_F(SqliteCleanup, ASuspensionLeavesAMonthBehindItsEnd) {
  ReopenAndBelieve();
  const Fact fact = Append(Suspension("u1", kStart + absl::Minutes(10)));
  Pass(absl::Minutes(9) + absl::Hours(720));
  EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
  EXPECT_EQ(AllFacts(*store_).size(), 1);
  Pass(absl::Minutes(2));
  EXPECT_EQ(listener_->On(fact.tag), Marks());
  EXPECT_TRUE(AllFacts(*store_).empty());
}

TEST_F(SqliteCleanup, WhatWouldEndBeforeWhatWasCleanedUpIsRefusedForItWouldNotBeInForce) {
  ReopenAndBelieve();
  Append(SubjectFact("u1", 1000, kStart + absl::Minutes(10)));
  Pass(absl::Minutes(20));
  const absl::Time cleaned_until = listener_->cleaned_until();
  store_.reset();
  clock_.SetWall(kStart);
  Reopen();
  const auto refused = AppendAndWait(*store_, SubjectFact("u2", 1000, cleaned_until));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition) << refused.status();
  const Fact fact = Append(SubjectFact("u2", 1000, cleaned_until + absl::Seconds(1)));
  EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
  EXPECT_EQ(fact.revision, 2);
}

TEST_F(SqliteCleanup, ARowIsForgottenWithItsReinstatementWhenTheTimeForAuditIsOver) {
  ReopenAndBelieve();
  const Fact fact = Append(SubjectFact("u1", 1000, kStart + absl::Minutes(10)));
  ASSERT_TRUE(ReinstateAndWait(*store_, fact.id).ok());
  const Fact other = Append(SubjectFact("u2", 1000, kStart + absl::Minutes(10)));
  Append(SubjectFact("u3", 1000, kStart + absl::Hours(720)));
  Pass(absl::Minutes(9) + kAudit);
  EXPECT_EQ(AllFacts(*store_).size(), 3);
  Pass(absl::Minutes(2));
  EXPECT_EQ(AllFacts(*store_).size(), 1);
  EXPECT_EQ(ReinstateAndWait(*store_, fact.id).status().code(), absl::StatusCode::kNotFound);
  store_.reset();
  EXPECT_EQ(Ask("SELECT count(*) FROM reinstatement"), "0");
  Reopen();
  EXPECT_EQ(listener_->revision(), 4);
  EXPECT_EQ(Append(SubjectFact("u4")).revision, 5);
}

TEST_F(SqliteCleanup, RevokedKeyIsStillRevokedAYearLater) {
  Reopen();
  NewFact key = SubjectFact("key-1", kAll, absl::InfiniteFuture());
  key.kind = TagKind::kKey;
  key.tag = MakeTag(key.kind, key.issuer, key.target);
  Append(key);
  Append(SubjectFact("u1"));
  saw_good_token_ = true;
  for (int i = 0; i < 12; ++i) Pass(kYear / 12);
  EXPECT_EQ(listener_->On(key.tag), MarksOf(key));
  EXPECT_EQ(listener_->tags(), 1);
  Reopen();
  EXPECT_EQ(listener_->On(key.tag), MarksOf(key));
  EXPECT_EQ(AllFacts(*store_).size(), 1);
}

TEST_F(SqliteCleanup, ASessionThatIsStillRefusedInTheLastTenthOfItsTimeIsProlonged) {
  ReopenAndBelieve();
  const Fact fact = Append(SessionFact("s1", kStart + absl::Hours(100)));
  Refuse(fact.tag);
  Pass(absl::Hours(90) - absl::Microseconds(1));
  EXPECT_EQ(AllFacts(*store_).size(), 1);
  Refuse(fact.tag);
  Refuse(fact.tag);
  Refuse(SessionFact("unknown").tag);
  Pass(absl::Minutes(1));
  const std::vector<Fact> facts = AllFacts(*store_);
  ASSERT_EQ(facts.size(), 2);
  EXPECT_EQ(facts[1].target, "s1");
  EXPECT_EQ(facts[1].tag, fact.tag);
  EXPECT_EQ(facts[1].kind, TagKind::kSession);
  EXPECT_EQ(facts[1].issuer, fact.issuer);
  EXPECT_EQ(facts[1].issued_until, kAll);
  EXPECT_EQ(facts[1].end_time, fact.end_time + kKeep);
  EXPECT_EQ(facts[1].actor, "gatehouse");
  EXPECT_EQ(facts[1].reason, "the session is still in use");
  EXPECT_EQ(listener_->revision(), 2);
  EXPECT_EQ(listener_->changes().size(), 2);
  // Once is enough, and it outlives the first.
  Refuse(fact.tag);
  Pass(absl::Hours(11));
  EXPECT_EQ(AllFacts(*store_).size(), 2);
  EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
  Reopen();
  EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
}

TEST_F(SqliteCleanup, ASessionIsProlongedByWhatIsSaidThen) {
  ReopenAndBelieve();
  const Fact fact = Append(SessionFact("s1", kStart + absl::Hours(10)));
  keep_ = kKeep + absl::Hours(80);
  Refuse(fact.tag);
  Pass(absl::Hours(9));
  const std::vector<Fact> facts = AllFacts(*store_);
  ASSERT_EQ(facts.size(), 2);
  EXPECT_EQ(facts[1].end_time, fact.end_time + kKeep + absl::Hours(80));
}

TEST_F(SqliteCleanup, OnlyASessionInForceIsProlonged) {
  ReopenAndBelieve();
  const Fact taken = Append(SessionFact("s1", kStart + absl::Minutes(10)));
  ASSERT_TRUE(ReinstateAndWait(*store_, taken.id).ok());
  const Fact subject = Append(SubjectFact("u1", kAll, kStart + absl::Minutes(10)));
  const Fact endless = Append(SessionFact("s2", absl::InfiniteFuture()));
  for (const Fact& fact : {taken, subject, endless}) Refuse(fact.tag);
  Pass(absl::Minutes(20));
  EXPECT_EQ(AllFacts(*store_).size(), 3);
}

TEST_F(SqliteCleanup, ThousandsThatEndAtOnceAllLeave) {
  constexpr int kFacts = 1700;
  ReopenAndBelieve();
  for (int i = 0; i < kFacts; ++i) {
    store_->Append(SubjectFact(absl::StrCat("u", i), 1000, kStart + absl::Hours(1)),
                   [](const auto&) {});
  }
  Append(SubjectFact("stays"));
  EXPECT_EQ(listener_->tags(), kFacts + 1);
  EXPECT_EQ(counters_.cleaned, 0);
  EXPECT_EQ(counters_.ended_kept, 0);
  Pass(absl::Hours(1));
  EXPECT_EQ(listener_->tags(), 1);
  EXPECT_EQ(AllFacts(*store_).size(), kFacts + 1);
  EXPECT_EQ(counters_.cleaned, kFacts);
  EXPECT_EQ(counters_.ended_kept, kFacts);
  Pass(kAudit);
  EXPECT_EQ(AllFacts(*store_).size(), 1);
  EXPECT_EQ(counters_.cleaned, kFacts);
  EXPECT_EQ(counters_.ended_kept, 0);
}

TEST_F(SqliteCleanup, WhatHadEndedBeforeTheStartOrTheImportIsCountedAsKeptOnly) {
  ReopenAndBelieve();
  Append(SubjectFact("u1", 1000, kStart + absl::Minutes(10)));
  Append(SubjectFact("u2"));
  Pass(absl::Minutes(20));
  store_.reset();
  counters_.cleaned = 0;
  counters_.ended_kept = 0;
  ReopenAndBelieve();
  EXPECT_EQ(counters_.ended_kept, 1);
  Fact ended{SubjectFact("u3", 1000, kStart), std::string(32, 'a'), kStart - absl::Hours(1)};
  const auto imported = ImportAndWait(*store_, {ended});
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->added, 1);
  EXPECT_EQ(counters_.ended_kept, 2);
  Pass(absl::Minutes(2));
  EXPECT_EQ(counters_.ended_kept, 2);
  EXPECT_EQ(counters_.cleaned, 0);
}

// Notes what it is told of, and holds the store at the first slice.
class SliceListener final : public RevocationListener {
 public:
  explicit SliceListener(Gate& gate) : gate_(gate) {}
  void OnStep(const StoreStep& step) override {
    const bool is_slice = is_cleaning && step.changes.empty();
    steps += is_slice ? "c" : "";
    if (is_cleaning && !is_slice) steps += "w";
    if (steps == "c") gate_.Pass();
  }
  std::atomic<bool> is_cleaning = false;
  std::string steps;  // of the store's thread

 private:
  Gate& gate_;
};

TEST_F(SqliteCleanup, AppendsGoFirstBetweenSlices) {
  Gate gate;
  SliceListener listener(gate);
  Open(listener);
  Believe();
  for (int i = 0; i < 1200; ++i) {
    store_->Append(SubjectFact(absl::StrCat("u", i), 1000, kStart + absl::Hours(1)),
                   [](const auto&) {});
  }
  Append(SubjectFact("last"));
  listener.is_cleaning = true;
  clock_.Advance(absl::Hours(1));
  gate.AwaitSomebody();
  Promised<absl::StatusOr<AppendResult>> result;
  store_->Append(SubjectFact("new"), [&](auto r) { result.Set(std::move(r)); });
  gate.Open();
  EXPECT_TRUE(result.Take().ok());
  clock_.AwaitIdle();
  store_.reset();
  EXPECT_EQ(listener.steps, "cwcc");
}

TEST_F(SqliteCleanup, FactsOfOneEndLeaveInSlicesEachOnce) {
  constexpr int kFacts = 1700;
  ReopenAndBelieve();
  for (int i = 1; i < kFacts; ++i) {
    store_->Append(SubjectFact(absl::StrCat("u", i), 1000, kStart + absl::Minutes(10)),
                   [](const auto&) {});
  }
  Append(SubjectFact("last", 1000, kStart + absl::Minutes(10)));
  const Fact later = Append(SubjectFact("later", 1000, kStart + absl::Minutes(11)));
  ASSERT_EQ(listener_->tags(), kFacts + 1);
  const size_t told = listener_->told();
  Pass(absl::Minutes(10));
  // The minutely round may have come right at the end; the next one has everything.
  Pass(absl::Minutes(1) - absl::Microseconds(1));
  EXPECT_EQ(listener_->tags(), 1);
  EXPECT_EQ(listener_->On(later.tag), MarksOf(later));
  EXPECT_EQ(listener_->told(), told + kFacts);
  Pass(absl::Minutes(1));
  EXPECT_EQ(listener_->tags(), 0);
  EXPECT_EQ(listener_->told(), told + kFacts + 1);
}

TEST_F(SqliteCleanup, WhatCouldNotBeWrittenIsCleanedUpInALaterRound) {
  FaultyVfs disk;
  ReopenAndBelieve();
  const Fact fact = Append(SubjectFact("u1", 1000, kStart + absl::Minutes(10)));
  disk.FailWrites(SQLITE_FULL);
  Pass(absl::Minutes(20));
  EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
  EXPECT_EQ(counters_.cleaned, 0);
  EXPECT_EQ(counters_.write_errors[static_cast<size_t>(WriteError::kDiskFull)], 1);
  EXPECT_EQ(counters_.write_errors[static_cast<size_t>(WriteError::kIo)], 0);
  disk.FailWrites(SQLITE_OK);
  Pass(absl::Minutes(1));
  EXPECT_EQ(listener_->On(fact.tag), Marks());
  EXPECT_EQ(counters_.cleaned, 1);
  store_.reset();
}

}  // namespace
}  // namespace gatehouse::revocation
