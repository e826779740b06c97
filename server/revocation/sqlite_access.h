#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <string>

#include "absl/time/time.h"

// What every user of a connection needs. SQLite's errors are thrown.
namespace gatehouse::revocation {

// Resets a statement on the way out, so that none keeps a read open.
class SqliteUse {
 public:
  explicit SqliteUse(SQLite::Statement& statement) : statement_(statement) {}
  ~SqliteUse() { statement_.tryReset(); }
  SqliteUse(const SqliteUse&) = delete;
  SqliteUse& operator=(const SqliteUse&) = delete;
  SQLite::Statement* operator->() { return &statement_; }
  SQLite::Statement& operator*() { return statement_; }

 private:
  SQLite::Statement& statement_;
};

// Rolled back unless it was committed. SQLiteCpp's own swallows a failed rollback and
// cannot be told to roll back.
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SQLite::Database& db);
  ~SqliteTransaction() { Rollback(); }
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;

  void Commit() { db_.exec("COMMIT"); }

 private:
  void Rollback();

  SQLite::Database& db_;
};

// The error in words, for a status.
std::string Reason(const SQLite::Exception& error);
// With what the system said, if one of the connection's files has failed.
std::string Reason(const SQLite::Exception& error, SQLite::Database& db);

// Times are stored as microseconds since 1970; the highest value is the infinite future,
// the lowest the infinite past. An end is rounded up: a fact must not end sooner for being
// stored, and never is in the infinite past, where it would not be in force.
int64_t MicrosOfEnd(absl::Time time);
absl::Time TimeOfMicros(int64_t micros);

}  // namespace gatehouse::revocation
