#include "server/revocation/sqlite_load.h"

#include <sqlite3.h>

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "server/revocation/sqlite_access.h"
#include "server/revocation/sqlite_facts.h"

namespace gatehouse::revocation {
namespace {

constexpr size_t kStep = 4096;

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

int64_t Number(SQLite::Database& db, const char* sql) { return db.execAndGet(sql).getInt64(); }

absl::flat_hash_set<int64_t> TakenBack(SQLite::Database& db) {
  absl::flat_hash_set<int64_t> revisions;
  SQLite::Statement all(db, "SELECT fact FROM reinstatement");
  while (all.executeStep()) revisions.insert(all.getColumn(0).getInt64());
  return revisions;
}

// Puts the marks of a tag together, which come one after the other.
class Steps {
 public:
  Steps(absl::Time cleaned_until, RevocationListener& listener)
      : cleaned_until_(cleaned_until), listener_(listener) {
    tags_.reserve(kStep);
  }

  void Add(const Tag& tag, Marks marks) {
    if (!tags_.empty() && tags_.back().first == tag) {
      tags_.back().second = tags_.back().second | marks;
      return;
    }
    // The revision that belongs to it comes with the last.
    if (tags_.size() == kStep) Tell(0);
    tags_.emplace_back(tag, marks);
  }
  void Tell(int64_t revision) {
    listener_.OnStep({.tags = tags_, .revision = revision, .cleaned_until = cleaned_until_});
    tags_.clear();
  }

 private:
  const absl::Time cleaned_until_;
  RevocationListener& listener_;
  std::vector<std::pair<Tag, Marks>> tags_;
};

}  // namespace

absl::StatusOr<int64_t> LoadFacts(SQLite::Database& db, int64_t revision, int64_t cleaned_until,
                                  RevocationListener& listener) {
  const int64_t facts = Number(db, "SELECT count(*) FROM fact NOT INDEXED");
  const absl::flat_hash_set<int64_t> taken_back = TakenBack(db);
  listener.OnLoading(static_cast<size_t>(facts));
  Steps steps(TimeOfMicros(cleaned_until), listener);
  // SQLiteCpp's columns count references, which would take longer than all the rest.
  sqlite3_stmt* raw = nullptr;
  db.check(sqlite3_prepare_v2(db.getHandle(),
                              "SELECT tag, suspends, issued_until, end_time, revision FROM fact"
                              " INDEXED BY fact_by_tag ORDER BY tag",
                              -1, &raw, nullptr));
  const std::unique_ptr<sqlite3_stmt, Finalize> all(raw);
  const int64_t suspensions_until = SqliteFacts::CleanedSuspensionsUntil(cleaned_until);
  int64_t seen = 0;
  int64_t ended = 0;
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(raw)) == SQLITE_ROW) {
    ++seen;
    const int64_t end_time = sqlite3_column_int64(raw, 3);
    const bool suspends = sqlite3_column_int(raw, 1) != 0;
    if (end_time <= (suspends ? suspensions_until : cleaned_until)) {
      ++ended;
      continue;
    }
    if (!taken_back.empty() && taken_back.contains(sqlite3_column_int64(raw, 4))) continue;
    Tag tag;
    const void* const bytes = sqlite3_column_blob(raw, 0);
    if (sqlite3_column_bytes(raw, 0) != static_cast<int>(tag.bytes.size())) {
      return absl::DataLossError("a tag is none");
    }
    std::memcpy(tag.bytes.data(), bytes, tag.bytes.size());
    steps.Add(tag, MarksOf(NewFact{.issued_until = sqlite3_column_int64(raw, 2),
                                   .suspends = suspends,
                                   .end_time = TimeOfMicros(end_time)}));
  }
  if (code != SQLITE_DONE) db.check(code);
  // quick_check does not compare the two.
  if (seen != facts) {
    return absl::DataLossError(
        absl::StrCat("it holds ", facts, " facts, but its index by tag ", seen));
  }
  steps.Tell(revision);
  return ended;
}

}  // namespace gatehouse::revocation
