#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/revocation/marks.h"
#include "server/revocation/revocation.h"
#include "server/revocation/store.h"
#include "server/revocation/tag.h"

namespace gatehouse::revocation {

// The rows of a database of kSchemaVersion: each method is one look or one change, within
// whatever transaction is open. Times are microseconds since 1970, as they are stored;
// `cleaned_until`: facts that ended by then are not in force, and of suspensions those that
// ended by CleanedSuspensionsUntil of it. For one thread at a time.
// SQLite's errors are thrown.
class SqliteFacts {
 public:
  // A suspension is in force by the clock until its end, also by a clock that was ahead when
  // `cleaned_until` moved and was set back since. It can be ahead by the life of a token.
  static int64_t CleanedSuspensionsUntil(int64_t cleaned_until);

  explicit SqliteFacts(SQLite::Database& db);

  std::string StoreId();
  void SetStoreId(const std::string& id);
  int64_t Revision();
  void SetRevision(int64_t revision);
  int64_t CleanedUntil();
  void SetCleanedUntil(int64_t cleaned_until);

  // A fact in force that refuses at least what `wanted` does, and ends no sooner.
  std::optional<Fact> Containing(const NewFact& wanted, int64_t cleaned_until);
  std::optional<Fact> Find(const std::string& id);
  // What is in force on a tag, all its facts put together.
  Marks MarksOn(const Tag& tag, int64_t cleaned_until);

  void Insert(const Fact& fact);
  void InsertReinstatement(int64_t fact, const Reinstatement& reinstatement);

  // Those that fit the query with from <= revision < before, newest first, until `take`
  // wants no more.
  struct Slice {
    int64_t from;
    int64_t before;
    int64_t cleaned_until;
    int64_t now;  // suspensions that ended by then are not in force either
  };
  void Page(const ListQuery& query, const Slice& slice, const std::function<bool(Fact)>& take);

  // Where one stands among the facts in the order of their ends.
  struct Place {
    int64_t end_time;
    int64_t revision;
    friend bool operator==(const Place&, const Place&) = default;
  };
  struct Ended {
    std::vector<Tag> tags = {};
    int64_t suspensions = 0;  // of them
    Place last;
  };
  // Up to `limit` facts behind `after` that ended by `until`.
  Ended EndedBehind(const Place& after, int64_t until, int limit);
  // Whether there is a suspension that ended by both, or another fact that did by `until`.
  bool HasEnded(int64_t until, int64_t suspensions_until);
  // Forgets up to `limit` of them, with what took them back. How many.
  int DeleteEnded(int64_t until, int64_t suspensions_until, int limit);

  // The fact in force on a session's tag that ends last.
  std::optional<Fact> LastOfSession(const Tag& tag, int64_t cleaned_until);

 private:
  std::optional<Fact> One(SQLite::Statement& statement);

  SQLite::Statement store_id_;
  SQLite::Statement set_store_id_;
  SQLite::Statement revision_;
  SQLite::Statement set_revision_;
  SQLite::Statement cleaned_until_;
  SQLite::Statement set_cleaned_until_;
  SQLite::Statement lasting_;
  SQLite::Statement suspension_;
  SQLite::Statement find_;
  SQLite::Statement marks_;
  SQLite::Statement insert_;
  SQLite::Statement reinstate_;
  SQLite::Statement page_;
  SQLite::Statement ended_;
  SQLite::Statement has_ended_;
  SQLite::Statement delete_reinstatements_;
  SQLite::Statement delete_facts_;
  SQLite::Statement session_;
};

}  // namespace gatehouse::revocation
