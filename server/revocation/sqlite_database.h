#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/revocation/revocation.h"
#include "server/revocation/sqlite_facts.h"
#include "server/revocation/sqlite_file.h"
#include "server/revocation/store.h"
#include "server/revocation/store_counters.h"

namespace gatehouse::revocation {

// The one connection to the database file. Used by one thread at a time. SQLite's
// exceptions end here.
class SqliteDatabase {
 public:
  struct TakeBack {
    std::string id;
    std::string actor;
    std::string reason;
  };
  using Operation = std::variant<NewFact, TakeBack>;
  struct Outcome {
    absl::Status refusal = {};  // NOT_FOUND for TakeBack
    Fact fact = {};
    bool existed = false;
    Marks left = {};  // of TakeBack
  };
  // What was committed, and what the listener is to be told of it.
  struct Commit {
    std::vector<Outcome> outcomes;  // in the order of what was asked
    std::vector<std::pair<Tag, Marks>> tags;
    std::vector<Change> changes;
    int64_t revision = 0;
    absl::Time cleaned_until = absl::InfinitePast();
    int64_t ended = 0;  // of those that were added, the ones not in force

    StoreStep step() const {
      return {
          .tags = tags, .changes = changes, .revision = revision, .cleaned_until = cleaned_until};
    }
  };
  // A page that is read in slices.
  struct Listing {
    ListQuery query;
    ListResult result = {};
    int64_t before = -1;  // revisions from here on have been looked at; -1: not begun
    size_t text = 0;
  };

  // As OpenSqliteStore, whose errors these are. `counters`, or null, outlive it.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path,
                                                              RevocationListener& listener,
                                                              StoreCounters* counters);

  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  const std::string& store_id() const { return store_id_; }
  const std::string& path() const { return file_->path(); }
  // Facts that ended by then are not in force; microseconds since 1970.
  int64_t cleaned_until() const { return cleaned_until_; }

  // All of them durably in one transaction, or UNAVAILABLE and none. Once the file
  // has been moved or deleted, UNAVAILABLE for ever.
  absl::StatusOr<Commit> Write(std::vector<Operation> operations, absl::Time now);

  // The same for facts of another store. Without outcomes.
  absl::StatusOr<std::pair<Commit, ImportResult>> Import(std::vector<Fact> facts);

  // Goes on with a page; whether it is complete. It ends at query.limit, at kMaxLimit facts, or
  // before the fact whose strings would take it beyond 256 KiB of text. UNAVAILABLE when
  // the file cannot be read; INVALID_ARGUMENT for a revision that was never reached.
  absl::StatusOr<bool> ListOn(Listing& listing, absl::Time now);

  // Moves cleaned_until up, if a fact has ended by `until`; whether it has.
  absl::StatusOr<bool> CleanUntil(int64_t until);
  // What is in force now on the tags of the next up to `limit` facts that ended since it was
  // opened and were cleaned up. Whether there may be more of them.
  absl::StatusOr<bool> ReadCleaned(int limit, Commit& commit);
  // Forgets up to `limit` facts that ended by `until`. How many.
  absl::StatusOr<int> DeleteEnded(int64_t until, int limit);
  absl::StatusOr<std::optional<Fact>> LastOfSession(const Tag& tag);

  // For a backup of it, which reads nothing else and ends before this does.
  SQLite::Database& connection() { return db_; }

 private:
  using Inode = std::pair<dev_t, ino_t>;

  SqliteDatabase(std::unique_ptr<SqliteFile> file, StoreCounters* counters);

  absl::Status Prepare(RevocationListener& listener);
  absl::Status Migrate();
  absl::Status Refusal(const SQLite::Exception& error) const;
  absl::Status Damaged(absl::string_view how) const;
  // Runs what writes, marked and in a transaction, if the file is where it was, and still
  // is after it.
  absl::Status WriteWith(const std::function<void()>& body);
  absl::Status ReadWith(const std::function<void()>& body);
  void Count(WriteError error);
  // Of ReadCleaned: of those behind `told`, which ended by `until`.
  bool ReadCleaned(SqliteFacts::Place& told, int64_t until, int limit, Commit& commit);
  // That so many facts more are ended and kept, of which `cleaned` were in force until now.
  void CountEnded(int64_t more, int64_t cleaned);
  void Close();
  // OK while the file and its -wal file are where they were. UNAVAILABLE, with what to do: they
  // are not, and for ever; or nobody can say, until its folder can be looked into again.
  absl::Status CheckPlace();
  absl::Status MovedAway();

  // In this order: the connection must close before the file does.
  const std::unique_ptr<SqliteFile> file_;
  StoreCounters* const counters_;  // or null
  SQLite::Database db_;
  std::unique_ptr<SqliteFacts> facts_;

  std::string store_id_;
  int64_t cleaned_until_ = 0;
  // Up to here the listener was told of the facts that were cleaned up.
  SqliteFacts::Place told_{.end_time = kAll, .revision = kAll};
  SqliteFacts::Place told_suspensions_{.end_time = kAll, .revision = kAll};
  std::string wal_path_;
  Inode inode_;
  Inode wal_inode_;
  bool open_ = false;
  // Whether the file says that the -wal file is needed (sqlite_mark.h).
  bool marked_ = false;
  bool moved_ = false;
};

}  // namespace gatehouse::revocation
