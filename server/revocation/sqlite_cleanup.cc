#include "server/revocation/sqlite_cleanup.h"

#include <algorithm>
#include <utility>

#include "server/base/log.h"
#include "server/base/status_macros.h"

namespace gatehouse::revocation {
namespace {

constexpr absl::Duration kEvery = absl::Minutes(1);
// Facts in one slice.
constexpr int kSlice = 500;

// Ends in `keep`; whether the fact it follows is in the last tenth of its time.
std::optional<NewFact> Prolonged(const Fact& fact, absl::Duration keep, absl::Time now) {
  if (fact.end_time == absl::InfiniteFuture() ||
      now < fact.end_time - (fact.end_time - fact.create_time) / 10) {
    return std::nullopt;
  }
  NewFact next = fact;
  next.end_time = std::max(fact.end_time, now) + keep;
  next.actor = "gatehouse";
  next.reason = "the session is still in use";
  return next;
}

}  // namespace

SqliteCleanup::SqliteCleanup(const SqliteOptions& options, const Clock& clock,
                             SqliteDatabase& database, Tell tell)
    : keep_(options.keep),
      audit_(options.audit),
      saw_good_token_(options.saw_good_token),
      take_refused_sessions_(options.take_refused_sessions),
      clock_(clock),
      database_(database),
      tell_(std::move(tell)),
      gate_(clock),
      due_(clock.SteadyNanos() + absl::ToInt64Nanoseconds(kEvery)) {}

void SqliteCleanup::Step() {
  const absl::StatusOr<Phase> next = Go();
  if (!next.ok()) {
    log::Error("revocations that have ended cannot be cleaned up",
               {{"file", database_.path()}, {"error", next.status().message()}});
  }
  phase_ = next.ok() ? *next : Phase::kBegin;
  if (phase_ != Phase::kBegin) return;
  due_ = clock_.SteadyNanos() + absl::ToInt64Nanoseconds(kEvery);
}

absl::StatusOr<SqliteCleanup::Phase> SqliteCleanup::Go() {
  switch (phase_) {
    case Phase::kBegin:
      // Beside those that a failed round has left.
      if (take_refused_sessions_) {
        for (const Tag& tag : take_refused_sessions_()) sessions_.push_back(tag);
      }
      return Phase::kProlong;
    case Phase::kProlong:
      // Before anything is cleaned up, among which they might be.
      GH_RETURN_IF_ERROR(ProlongSome());
      return sessions_.empty() ? Phase::kMove : Phase::kProlong;
    case Phase::kMove:
      until_ = gate_.Until(saw_good_token_ && saw_good_token_());
      GH_RETURN_IF_ERROR(MoveOn());
      return Phase::kTell;
    case Phase::kTell: {
      SqliteDatabase::Commit commit;
      GH_ASSIGN_OR_RETURN(const bool more, database_.ReadCleaned(kSlice, commit));
      if (!commit.tags.empty()) tell_(commit.step());
      return more ? Phase::kTell : Phase::kDelete;
    }
    case Phase::kDelete: {
      if (!until_) return Phase::kBegin;
      GH_ASSIGN_OR_RETURN(const int deleted,
                          database_.DeleteEnded(absl::ToUnixMicros(*until_ - audit_), kSlice));
      return deleted == kSlice ? Phase::kDelete : Phase::kBegin;
    }
  }
  return Phase::kBegin;
}

absl::Status SqliteCleanup::ProlongSome() {
  const absl::Time now = clock_.Now();
  const absl::Duration keep = keep_();
  std::vector<SqliteDatabase::Operation> wanted;
  const size_t rest = sessions_.size() - std::min<size_t>(sessions_.size(), kSlice);
  for (size_t i = rest; i < sessions_.size(); ++i) {
    GH_ASSIGN_OR_RETURN(const std::optional<Fact> fact, database_.LastOfSession(sessions_[i]));
    if (!fact) continue;
    if (std::optional<NewFact> next = Prolonged(*fact, keep, now)) {
      wanted.emplace_back(*std::move(next));
    }
  }
  if (!wanted.empty()) {
    GH_ASSIGN_OR_RETURN(const SqliteDatabase::Commit commit,
                        database_.Write(std::move(wanted), now));
    if (!commit.changes.empty()) tell_(commit.step());
  }
  // Not before: those of a slice that failed are tried again.
  sessions_.resize(rest);
  return absl::OkStatus();
}

absl::Status SqliteCleanup::MoveOn() {
  if (!until_) return absl::OkStatus();
  return database_.CleanUntil(absl::ToUnixMicros(*until_)).status();
}

}  // namespace gatehouse::revocation
