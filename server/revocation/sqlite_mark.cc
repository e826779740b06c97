#include "server/revocation/sqlite_mark.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "server/revocation/sqlite_schema.h"

namespace gatehouse::revocation {
namespace {

// Synced; an error also when a reader stands in its way.
void Checkpoint(SQLite::Database& db) {
  db.check(sqlite3_wal_checkpoint_v2(db.getHandle(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr,
                                     nullptr));
}

void SetUserVersion(SQLite::Database& db, uint32_t version) {
  db.exec(absl::StrCat("PRAGMA user_version = ", version));
}

void CloseWith(SQLite::Database& db, uint32_t version) {
  // Twice, since a checkpoint begins with the page of the mark: interrupted, the
  // file would lack both the mark and the pages after it.
  Checkpoint(db);
  SetUserVersion(db, version);
  Checkpoint(db);
}

}  // namespace

std::string WalOf(const std::string& path) { return path + "-wal"; }

absl::Status CheckWalOfMarked(const std::string& path, uint32_t user_version) {
  if ((user_version & kOpenMark) == 0) return absl::OkStatus();
  const std::string wal = WalOf(path);
  struct stat info;
  if (stat(wal.c_str(), &info) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      path, " was not closed cleanly or was copied while in use, and ", wal,
      " is not there: acknowledged revocations may stand in that file alone, and without them "
      "revoked tokens would pass. Nothing was touched: put ",
      wal, " back. If it is lost for good, `sqlite3 ", path,
      " 'PRAGMA user_version = ", user_version & ~kOpenMark,
      "'` accepts the loss of what was revoked since the last clean stop"));
}

void SyncWal(SQLite::Database& db) {
  sqlite3_file* wal = nullptr;
  db.check(sqlite3_file_control(db.getHandle(), "main", SQLITE_FCNTL_JOURNAL_POINTER,
                                static_cast<void*>(&wal)));
  // Of a database that was in another mode until now: not opened yet.
  if (wal == nullptr || wal->pMethods == nullptr) return;
  sqlite3_int64 size = 0;
  int code = wal->pMethods->xFileSize(wal, &size);
  if (code == SQLITE_OK && size > 0) code = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
  // The connection knows nothing of it.
  if (code != SQLITE_OK) throw SQLite::Exception("its -wal file cannot be synced", code);
}

absl::Status CheckNoBackup(const std::string& path, uint32_t user_version) {
  if ((user_version & kBackupMark) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path,
                   " is a backup: move it away, and put it in place with `gatehouse-server "
                   "--restore FILE --config FILE`, so that no revision is counted twice"));
}

void MarkOpen(SQLite::Database& db) {
  if ((db.execAndGet("PRAGMA user_version").getUInt() & kOpenMark) == 0) {
    SetUserVersion(db, kSchemaVersion | kOpenMark);
  }
  Checkpoint(db);
}

void MarkClosed(SQLite::Database& db) { CloseWith(db, kSchemaVersion); }

void MarkBackup(SQLite::Database& db) { CloseWith(db, kSchemaVersion | kBackupMark); }

}  // namespace gatehouse::revocation
