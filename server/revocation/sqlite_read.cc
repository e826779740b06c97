// What SqliteDatabase reads once it is open.

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "server/base/status_macros.h"
#include "server/revocation/sqlite_access.h"
#include "server/revocation/sqlite_database.h"

namespace gatehouse::revocation {
namespace {

constexpr size_t kMaxPageText = size_t{256} * 1024;
// Revisions that are looked at in one slice.
constexpr int64_t kSlice = 2000;

size_t TextOf(const Fact& fact) {
  size_t text = fact.id.size() + fact.issuer.size() + fact.target.size() + fact.actor.size() +
                fact.reason.size();
  if (fact.reinstated) {
    text +=
        fact.reinstated->id.size() + fact.reinstated->actor.size() + fact.reinstated->reason.size();
  }
  return text;
}

absl::Status Begin(SqliteDatabase::Listing& listing, int64_t revision) {
  const int64_t before = listing.query.before_revision;
  if (before < 0 || before > revision + 1) {
    return absl::InvalidArgumentError("before_revision: the store was never there");
  }
  listing.result.revision = revision;
  listing.before = before == 0 ? revision + 1 : before;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> SqliteDatabase::ListOn(Listing& listing, absl::Time now) {
  const auto limit = static_cast<size_t>(std::clamp(listing.query.limit, 1, ListQuery::kMaxLimit));
  ListResult& result = listing.result;
  absl::Status refusal;
  GH_RETURN_IF_ERROR(ReadWith([&] {
    if (listing.before < 0) refusal = Begin(listing, facts_->Revision());
    if (!refusal.ok()) return;
    const int64_t from = std::max<int64_t>(listing.before - kSlice, 0);
    facts_->Page(listing.query,
                 {.from = from,
                  .before = listing.before,
                  .cleaned_until = cleaned_until_,
                  .now = absl::ToUnixMicros(now)},
                 [&](Fact fact) {
                   listing.text += TextOf(fact);
                   const bool full = result.facts.size() == limit || listing.text > kMaxPageText;
                   result.more = full && !result.facts.empty();
                   if (!result.more) result.facts.push_back(std::move(fact));
                   return !result.more;
                 });
    listing.before = from;
  }));
  GH_RETURN_IF_ERROR(refusal);
  return result.more || listing.before == 0;
}

absl::StatusOr<bool> SqliteDatabase::ReadCleaned(int limit, Commit& commit) {
  bool more = false;
  GH_RETURN_IF_ERROR(ReadWith([&] {
    more = ReadCleaned(told_, cleaned_until_, limit, commit) ||
           ReadCleaned(told_suspensions_, SqliteFacts::CleanedSuspensionsUntil(cleaned_until_),
                       limit, commit);
    commit.revision = facts_->Revision();
    commit.cleaned_until = TimeOfMicros(cleaned_until_);
  }));
  return more;
}

bool SqliteDatabase::ReadCleaned(SqliteFacts::Place& told, int64_t until, int limit,
                                 Commit& commit) {
  const SqliteFacts::Ended ended = facts_->EndedBehind(told, until, limit);
  absl::flat_hash_set<Tag> seen;
  for (const Tag& tag : ended.tags) {
    if (!seen.insert(tag).second) continue;
    commit.tags.emplace_back(tag, facts_->MarksOn(tag, cleaned_until_));
  }
  told = ended.last;
  const auto all = static_cast<int64_t>(ended.tags.size());
  // Suspensions count for longer than others.
  const int64_t count = &told == &told_ ? all - ended.suspensions : ended.suspensions;
  CountEnded(count, count);
  return all == limit;
}

absl::StatusOr<std::optional<Fact>> SqliteDatabase::LastOfSession(const Tag& tag) {
  std::optional<Fact> fact;
  GH_RETURN_IF_ERROR(ReadWith([&] { fact = facts_->LastOfSession(tag, cleaned_until_); }));
  return fact;
}

}  // namespace gatehouse::revocation
