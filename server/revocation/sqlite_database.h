#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/revocation/revocation.h"
#include "server/revocation/sqlite_file.h"
#include "server/revocation/store.h"

namespace gatehouse::revocation {

// The one connection to the database file. Used by one thread at a time. SQLite's
// exceptions end here.
class SqliteDatabase {
 public:
  struct Group {
    std::vector<AppendResult> results;  // in the order of what was asked
    std::vector<Fact> added;            // rising by revision
    int64_t revision = 0;
  };

  // As OpenSqliteStore, whose errors these are.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path,
                                                              RevocationListener& listener);

  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  const std::string& store_id() const { return store_id_; }
  const std::string& path() const { return file_->path(); }

  // All of them durably in one transaction, or UNAVAILABLE and none. Once the file
  // has been moved or deleted, UNAVAILABLE for ever.
  absl::StatusOr<Group> Write(std::vector<NewFact> facts, absl::Time now);

  // A page ends at query.limit, at 1000 facts, or before the fact whose strings would
  // take it beyond 256 KiB of text. UNAVAILABLE when the file cannot be read.
  absl::StatusOr<ListResult> List(const ListQuery& query);

 private:
  struct Statements;
  using Inode = std::pair<dev_t, ino_t>;

  explicit SqliteDatabase(std::unique_ptr<SqliteFile> file);

  absl::Status Prepare(RevocationListener& listener);
  absl::Status Refusal(const SQLite::Exception& error) const;
  absl::Status Damaged(const std::string& how) const;
  absl::Status Load(RevocationListener& listener);
  Group WriteGroup(std::vector<NewFact> facts, std::vector<std::string> ids, absl::Time now);
  int64_t Revision();
  void Close();
  bool HasMoved();
  bool FileHasMoved();

  // In this order: the connection must close before the file does.
  const std::unique_ptr<SqliteFile> file_;
  SQLite::Database db_;
  std::unique_ptr<Statements> statements_;

  std::string store_id_;
  std::string wal_path_;
  Inode wal_inode_;
  bool open_ = false;
  // Whether the file says that the -wal file is needed (sqlite_mark.h).
  bool marked_ = false;
  bool moved_ = false;
};

}  // namespace gatehouse::revocation
