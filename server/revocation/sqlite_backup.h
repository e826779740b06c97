#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/revocation/sqlite_new_file.h"
#include "server/revocation/store.h"

struct sqlite3_backup;

namespace gatehouse::revocation {

// A copy of a database that is in use, in steps between its commits; what is committed on
// the way is in it. A copy that is not finished leaves nothing.
class SqliteBackup {
 public:
  // Into a new file at `path`. ALREADY_EXISTS: something lies there; UNAVAILABLE: its folder
  // does not exist or takes no file. `source` is not closed before CopySome has said true, or this
  // is gone.
  static absl::StatusOr<std::unique_ptr<SqliteBackup>> Begin(SQLite::Database& source,
                                                             const std::string& path);

  ~SqliteBackup();
  SqliteBackup(const SqliteBackup&) = delete;
  SqliteBackup& operator=(const SqliteBackup&) = delete;

  // On the thread of `source`, outside of its transactions: some pages more. Whether they
  // were the last ones. UNAVAILABLE: a disk is full, or cannot be read.
  absl::StatusOr<bool> CopySome();

  // On any thread: marks the copy as a backup, checks it, syncs it and moves it to its
  // place. This takes as long as the disk does.
  absl::StatusOr<BackupResult> Finish();

 private:
  explicit SqliteBackup(std::unique_ptr<SqliteNewFile> file);

  const std::unique_ptr<SqliteNewFile> file_;
  std::unique_ptr<SQLite::Database> copy_;
  sqlite3_backup* backup_ = nullptr;
};

}  // namespace gatehouse::revocation
