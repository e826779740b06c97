#include "tests/revocation/durability.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/revocation/cleanup_gate.h"
#include "server/revocation/sqlite_store.h"
#include "tests/revocation/power_cut_vfs.h"
#include "tests/revocation/version1.h"

namespace gatehouse::revocation {
namespace {

constexpr const char* kSuffixes[] = {"", "-wal", "-journal"};
constexpr absl::Duration kShort = absl::Minutes(10);
constexpr int kFactsOfVersion1 = 20;

}  // namespace

std::ostream& operator<<(std::ostream& out, const Totals& totals) {
  out << totals.runs << " runs, " << totals.faults << " faults injected, " << totals.lost_writes
      << " writes lost or torn by a power cut, " << totals.acknowledged << " acknowledged, "
      << totals.lost << " lost, " << totals.refused << " files refused as damaged, " << totals.half
      << " halves of groups, " << totals.back << " states gone back";
  return out;
}

// One opening of the store.
class Durability::Session {
 public:
  Session(const std::string& path, FakeClock& clock, Acknowledged& told)
      : clock_(clock), told_(told) {
    auto store = OpenSqliteStore(
        {.path = path, .audit = absl::Minutes(1), .saw_good_token = [] { return true; }}, clock,
        listener_);
    if (store.ok()) {
      store_ = *std::move(store);
    } else {
      ++told_.failed_steps;
      // The disk's fault is not the file's, which lies there as it did.
      EXPECT_EQ(store.status().message().find("is damaged"), absl::string_view::npos)
          << store.status();
    }
    Listen();
  }
  ~Session() {
    store_.reset();
    Listen();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  bool is_open() const { return store_ != nullptr; }

  // The new fact's id; empty: refused.
  std::string Append(const NewFact& fact) {
    told_.groups.push_back({fact.target});
    auto result = AppendAndWait(*store_, fact);
    return Count(Take(result));
  }
  void TakeBack(const std::string& id) {
    if (id.empty()) return;
    told_.groups.push_back({id});
    auto result = ReinstateAndWait(*store_, id);
    Count(Take(result));
  }
  // Facts, and one taken back if it has an id, in one transaction.
  void Group(const std::vector<std::string>& subjects, const std::string& id) {
    std::vector<Promised<absl::StatusOr<AppendResult>>> facts(subjects.size());
    Promised<absl::StatusOr<ReinstateResult>> back;
    told_.groups.push_back(subjects);
    if (!id.empty()) told_.groups.back().push_back(id);
    store_->List({}, [&](const auto&) {
      // On the store's thread, which writes next all that waits then.
      for (size_t i = 0; i < subjects.size(); ++i) {
        store_->Append(SubjectFact(subjects[i]), [&facts, i](auto r) { facts[i].Set(r); });
      }
      if (!id.empty()) store_->Reinstate(id, "admin", "", [&back](auto r) { back.Set(r); });
    });
    size_t good = 0;
    for (auto& fact : facts) {
      auto result = fact.Take();
      good += Take(result).empty() ? 0 : 1;
    }
    if (!id.empty()) {
      auto result = back.Take();
      Take(result);
    }
    EXPECT_TRUE(good == 0 || good == subjects.size()) << "acknowledged in part";
    told_.failed_steps += good == 0 ? 1 : 0;
  }
  // What is read now is what was acknowledged, nothing less and nothing more.
  void ExpectExactly(const std::map<std::string, Fact>& facts) {
    for (const Fact& fact : AllFacts(*store_)) {
      const auto known = facts.find(fact.id);
      EXPECT_TRUE(known != facts.end() && SameFact(known->second, fact)) << fact.target;
    }
    EXPECT_EQ(AllFacts(*store_).size(), facts.size());
  }
  void CleanUp() {
    for (const absl::Duration step : {CleanupGate::kSettled, 2 * kShort}) {
      clock_.Advance(step);
      clock_.AwaitIdle();
    }
    Listen();
    // The time for audit is over too.
    bool is_clean = true;
    for (const Fact& fact : AllFacts(*store_)) is_clean &= fact.end_time > clock_.Now();
    told_.failed_steps += is_clean ? 0 : 1;
  }

 private:
  template <typename Result>
  std::string Take(absl::StatusOr<Result>& result) {
    if (!result.ok()) {
      EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable) << result.status();
      return "";
    }
    told_.facts[result->fact.id] = result->fact;
    told_.revision = std::max(told_.revision, result->revision);
    return result->fact.id;
  }
  std::string Count(std::string id) {
    told_.failed_steps += id.empty() ? 1 : 0;
    return id;
  }
  void Listen() {
    told_.revision = std::max(told_.revision, listener_.revision());
    told_.cleaned_until = std::max(told_.cleaned_until, listener_.cleaned_until());
  }

  FakeClock& clock_;
  Acknowledged& told_;
  RecordingListener listener_;
  std::unique_ptr<RevocationStore> store_;
};

void Durability::SetUp() {
  ASSERT_TRUE(CreateSqliteDatabase(path_).ok());
  created_ = TempFolder::ReadFile(path_);
}

void Durability::StartFromVersion1() {
  std::filesystem::remove(path_);
  for (const Fact& fact : CreateVersion1(path_, kFactsOfVersion1)) before_[fact.id] = fact;
  created_ = TempFolder::ReadFile(path_);
}

void Durability::PutBack() {
  for (const char* suffix : kSuffixes) std::filesystem::remove(path_ + suffix);
  TempFolder::WriteFile(path_, created_);
}

Acknowledged Durability::Work() {
  Acknowledged told{.facts = before_, .revision = static_cast<int64_t>(before_.size())};
  FakeClock clock(kStart);
  if (Session first(path_, clock, told); first.is_open()) {
    const std::string one = first.Append(SubjectFact("one"));
    const std::string two = first.Append(Suspension("two", kStart + absl::Hours(2)));
    first.Group({"three", "four", "five"}, one);
    first.TakeBack(two);
    first.ExpectExactly(told.facts);
    first.Append(SubjectFact("short", 1000, kStart + kShort));
  }
  if (Session second(path_, clock, told); second.is_open()) {
    const std::string six = second.Append(SubjectFact("six"));
    second.CleanUp();
    second.Group({"seven", "eight"}, six);
    second.Append(SubjectFact("nine"));
  }
  return told;
}

Durability::Damage Durability::Damaged() const {
  const std::string copy = folder_.File("copy.db");
  for (const char* suffix : kSuffixes) {
    std::filesystem::remove(copy + suffix);
    if (std::filesystem::exists(path_ + suffix)) {
      std::filesystem::copy_file(path_ + suffix, copy + suffix);
    }
  }
  // The mark of an open database lies in the second byte of its header's user_version.
  const std::string content = TempFolder::ReadFile(copy);
  const bool is_open = content.size() > 63 && content[61] == 1;
  Damage damage{.is_seen = is_open && !std::filesystem::exists(copy + "-wal")};
  try {
    SQLite::Database db(copy, SQLite::OPEN_READWRITE);
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    damage.is_plain = db.execAndGet("PRAGMA quick_check").getString() != "ok";
    const char* const kCounters =
        "SELECT (SELECT count(*) FROM store) = 1 AND (SELECT value FROM revision) >="
        " (SELECT coalesce(max(revision), 0) FROM fact)";
    damage.is_seen |= damage.is_plain || db.execAndGet(kCounters).getInt() != 1 ||
                      db.execAndGet("PRAGMA integrity_check").getString() != "ok";
  } catch (const SQLite::Exception&) {
    damage = {.is_plain = true, .is_seen = true};
  }
  return damage;
}

void Durability::Judge(const Acknowledged& told, Totals& totals) {
  ++totals.runs;
  totals.acknowledged += static_cast<int64_t>(told.facts.size());
  // Spares the real disk the syncs.
  PowerCutVfs disk({});
  const Damage damage = Damaged();
  FakeClock clock(kStart);
  RecordingListener listener;
  const auto store = OpenSqliteStore({.path = path_}, clock, listener);
  if (store.ok()) {
    EXPECT_FALSE(damage.is_plain) << "a start on a damaged file";
    return Compare(**store, listener, told, totals);
  }
  EXPECT_TRUE(damage.is_seen) << store.status();
  EXPECT_NE(store.status().message().find(path_), absl::string_view::npos) << store.status();
  ++totals.refused;
  totals.lost += static_cast<int64_t>(told.facts.size());
}

void Durability::Compare(RevocationStore& store, const RecordingListener& listener,
                         const Acknowledged& told, Totals& totals) const {
  std::map<std::string, Fact> kept;
  std::set<std::string> done;  // as in `groups`
  std::set<int64_t> revisions;
  size_t count = 0;
  for (const Fact& fact : AllFacts(store)) {
    kept[fact.id] = fact;
    done.insert(fact.target);
    revisions.insert(fact.revision);
    ++count;
    if (!fact.reinstated) continue;
    done.insert(fact.id);
    revisions.insert(fact.reinstated->revision);
    ++count;
  }
  EXPECT_EQ(revisions.size(), count) << "a revision was used twice";

  for (const auto& [id, fact] : told.facts) {
    const auto found = kept.find(id);
    if (found == kept.end()) {
      // One that ended may be forgotten.
      totals.lost += fact.end_time > listener.cleaned_until() ? 1 : 0;
      continue;
    }
    Fact known = found->second;
    // One that was being taken back may be either.
    if (!fact.reinstated) known.reinstated.reset();
    const bool is_in_force = !found->second.reinstated && fact.end_time > listener.cleaned_until();
    const bool is_told = listener.On(fact.tag) == (is_in_force ? MarksOf(fact) : Marks());
    totals.lost += SameFact(known, fact) && is_told ? 0 : 1;
  }
  for (const std::vector<std::string>& group : told.groups) {
    const auto there = std::count_if(group.begin(), group.end(),
                                     [&](const std::string& one) { return done.contains(one); });
    totals.half += there == 0 || static_cast<size_t>(there) == group.size() ? 0 : 1;
  }

  const int64_t revision = listener.revision();
  const bool went_back = revision < told.revision || listener.cleaned_until() < told.cleaned_until;
  totals.back += went_back ? 1 : 0;
  const auto next = AppendAndWait(store, SubjectFact("after"));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->fact.revision, revision + 1);
  EXPECT_TRUE(revisions.empty() || revision >= *revisions.rbegin()) << "a revision is used again";
}

}  // namespace gatehouse::revocation
