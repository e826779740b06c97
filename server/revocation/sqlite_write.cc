// What SqliteDatabase writes.

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/status_macros.h"
#include "server/revocation/random_id.h"
#include "server/revocation/sqlite_access.h"
#include "server/revocation/sqlite_database.h"

namespace gatehouse::revocation {
namespace {

using Commit = SqliteDatabase::Commit;
using Outcome = SqliteDatabase::Outcome;

// One transaction's worth of changes.
class Writing {
 public:
  // Facts up to `told` that ended are known to have; of suspensions those up to the second.
  Writing(SqliteFacts& facts, int64_t cleaned_until,
          const std::pair<SqliteFacts::Place, SqliteFacts::Place>& told)
      : facts_(facts), cleaned_until_(cleaned_until), told_(told), revision_(facts.Revision()) {}

  // `now` as it is stored.
  Outcome Append(NewFact wanted, std::string id, absl::Time now) {
    // It refuses every token until its end.
    if (wanted.suspends) wanted.issued_until = kAll;
    const bool is_first = facts_.MarksOn(wanted.tag, cleaned_until_).empty();
    if (!is_first) {
      if (std::optional<Fact> known = facts_.Containing(wanted, cleaned_until_)) {
        return {.fact = *std::move(known), .existed = true};
      }
    }
    if (HasEnded(wanted)) {
      return {.refusal = absl::FailedPreconditionError(absl::StrCat(
                  "it would end before ",
                  absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", TimeOfMicros(cleaned_until_),
                                   absl::UTCTimeZone()),
                  ", up to when revocations have been cleaned up by a clock that was ahead, and"
                  " would never be in force: revoke without an end, or with a later one"))};
    }
    Fact fact{std::move(wanted), std::move(id), now};
    fact.end_time = TimeOfMicros(MicrosOfEnd(fact.end_time));
    Insert(fact, is_first);
    return {.fact = std::move(fact)};
  }

  Outcome TakeBack(SqliteDatabase::TakeBack asked, std::string id, absl::Time now) {
    std::optional<Fact> fact = facts_.Find(asked.id);
    if (fact && fact->reinstated) {
      const Marks left = facts_.MarksOn(fact->tag, cleaned_until_);
      return {.fact = *std::move(fact), .existed = true, .left = left};
    }
    if (!fact || HasEnded(*fact) || (fact->suspends && fact->end_time <= now)) {
      return {.refusal = absl::NotFoundError("no revocation in force has this id")};
    }
    Reinstate(*fact, {.id = std::move(id),
                      .create_time = now,
                      .actor = std::move(asked.actor),
                      .reason = std::move(asked.reason)});
    const Marks left = marks_[fact->tag];
    return {.fact = *std::move(fact), .left = left};
  }

  // Whether anything of it was added. By its id alone: one that another contains is in force
  // when that is taken back.
  bool Import(Fact fact) {
    std::optional<Reinstatement> reinstated = std::move(fact.reinstated);
    fact.reinstated.reset();
    if (std::optional<Fact> known = facts_.Find(fact.id)) {
      if (known->reinstated || !reinstated) return false;
      Reinstate(*known, *std::move(reinstated));
      return true;
    }
    if (fact.suspends) fact.issued_until = kAll;
    Insert(fact);
    if (reinstated) Reinstate(fact, *std::move(reinstated));
    return true;
  }

  // Before the commit: what cannot be read must not have been written.
  void Finish(Commit& commit) {
    if (!changes_.empty()) facts_.SetRevision(revision_);
    commit.tags.reserve(marks_.size());
    commit.tags.assign(marks_.begin(), marks_.end());
    commit.changes = std::move(changes_);
    commit.revision = revision_;
    commit.cleaned_until = TimeOfMicros(cleaned_until_);
    commit.ended = ended_;
  }

 private:
  // Whether it is in force no more, whatever the clock says.
  bool HasEnded(const NewFact& fact) const {
    return MicrosOfEnd(fact.end_time) <=
           (fact.suspends ? SqliteFacts::CleanedSuspensionsUntil(cleaned_until_) : cleaned_until_);
  }

  // `is_first`: no other is in force on its tag.
  void Insert(Fact& fact, bool is_first = false) {
    fact.revision = ++revision_;
    facts_.Insert(fact);
    const int64_t end = MicrosOfEnd(fact.end_time);
    const SqliteFacts::Place& told = fact.suspends ? told_.second : told_.first;
    const bool is_told =
        end < told.end_time || (end == told.end_time && fact.revision <= told.revision);
    ended_ += is_told ? 1 : 0;
    changes_.push_back({.revision = revision_, .tag = fact.tag});
    marks_[fact.tag] = is_first ? MarksOf(fact) : facts_.MarksOn(fact.tag, cleaned_until_);
  }
  void Reinstate(Fact& fact, Reinstatement reinstatement) {
    reinstatement.revision = ++revision_;
    facts_.InsertReinstatement(fact.revision, reinstatement);
    fact.reinstated = std::move(reinstatement);
    changes_.push_back({.revision = revision_, .tag = fact.tag, .reinstates = true});
    marks_[fact.tag] = facts_.MarksOn(fact.tag, cleaned_until_);
  }

  SqliteFacts& facts_;
  const int64_t cleaned_until_;
  const std::pair<SqliteFacts::Place, SqliteFacts::Place> told_;
  int64_t revision_;
  int64_t ended_ = 0;
  std::vector<Change> changes_;
  absl::flat_hash_map<Tag, Marks> marks_;
};

}  // namespace

absl::StatusOr<Commit> SqliteDatabase::Write(std::vector<Operation> operations, absl::Time now) {
  const int64_t micros = absl::ToUnixMicros(now);
  absl::StatusOr<std::vector<std::string>> made = IdsAt(micros, operations.size());
  if (!made.ok()) return absl::UnavailableError(made.status().message());
  std::vector<std::string> ids = *std::move(made);
  const absl::Time stored_now = TimeOfMicros(micros);
  Commit commit;
  commit.outcomes.reserve(operations.size());
  GH_RETURN_IF_ERROR(WriteWith([&] {
    Writing writing(*facts_, cleaned_until_, {told_, told_suspensions_});
    for (size_t i = 0; i < operations.size(); ++i) {
      auto* const fact = std::get_if<NewFact>(&operations[i]);
      commit.outcomes.push_back(
          fact != nullptr ? writing.Append(std::move(*fact), std::move(ids[i]), stored_now)
                          : writing.TakeBack(std::get<TakeBack>(std::move(operations[i])),
                                             std::move(ids[i]), stored_now));
    }
    writing.Finish(commit);
  }));
  CountEnded(commit.ended, 0);
  return commit;
}

absl::StatusOr<std::pair<Commit, ImportResult>> SqliteDatabase::Import(std::vector<Fact> facts) {
  if (facts.size() > RevocationStore::kMaxImport) {
    return absl::InvalidArgumentError("too many facts at once");
  }
  for (const Fact& fact : facts) {
    if (!IsId(fact.id) || (fact.reinstated && !IsId(fact.reinstated->id))) {
      return absl::InvalidArgumentError("an id is not 32 lower-case hexadecimal digits");
    }
  }
  absl::Status clash;
  GH_RETURN_IF_ERROR(ReadWith([&] {
    for (size_t i = 0; i < facts.size() && clash.ok(); ++i) {
      const std::optional<Fact> known = facts_->Find(facts[i].id);
      if (!known || known->tag == facts[i].tag) continue;
      clash = absl::InvalidArgumentError(
          absl::StrCat("revocations[", i, "].id: is that of another revocation here"));
    }
  }));
  GH_RETURN_IF_ERROR(clash);
  std::pair<Commit, ImportResult> result;
  ImportResult& counts = result.second;
  GH_RETURN_IF_ERROR(WriteWith([&] {
    Writing writing(*facts_, cleaned_until_, {told_, told_suspensions_});
    for (Fact& fact : facts) ++(writing.Import(std::move(fact)) ? counts.added : counts.known);
    writing.Finish(result.first);
  }));
  counts.revision = result.first.revision;
  CountEnded(result.first.ended, 0);
  return result;
}

absl::StatusOr<bool> SqliteDatabase::CleanUntil(int64_t until) {
  bool has_ended = false;
  // What has not been cleaned up yet; nothing is written when there is nothing.
  const auto ended_between = [&](int64_t after, int64_t by) {
    return !facts_->EndedBehind({.end_time = after, .revision = kAll}, by, 1).tags.empty();
  };
  GH_RETURN_IF_ERROR(ReadWith([&] {
    has_ended = ended_between(cleaned_until_, until) ||
                ended_between(SqliteFacts::CleanedSuspensionsUntil(cleaned_until_),
                              SqliteFacts::CleanedSuspensionsUntil(until));
  }));
  if (!has_ended) return false;
  GH_RETURN_IF_ERROR(WriteWith([&] { facts_->SetCleanedUntil(until); }));
  cleaned_until_ = until;
  return true;
}

absl::StatusOr<int> SqliteDatabase::DeleteEnded(int64_t until, int limit) {
  // Never one that is in force.
  until = std::min(until, cleaned_until_);
  const int64_t suspensions = SqliteFacts::CleanedSuspensionsUntil(cleaned_until_);
  bool has_ended = false;
  GH_RETURN_IF_ERROR(ReadWith([&] { has_ended = facts_->HasEnded(until, suspensions); }));
  if (!has_ended) return 0;
  int deleted = 0;
  GH_RETURN_IF_ERROR(WriteWith([&] { deleted = facts_->DeleteEnded(until, suspensions, limit); }));
  CountEnded(-deleted, 0);
  return deleted;
}

}  // namespace gatehouse::revocation
