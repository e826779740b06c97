#include "server/revocation/sqlite_access.h"

#include <sqlite3.h>

#include <algorithm>
#include <limits>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"

namespace gatehouse::revocation {
namespace {

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
constexpr int64_t kNever = std::numeric_limits<int64_t>::min();

}  // namespace

SqliteTransaction::SqliteTransaction(SQLite::Database& db) : db_(db) {
  Rollback();
  db_.exec("BEGIN IMMEDIATE");
}

// Some errors have rolled back already; a failed COMMIT may have or not.
void SqliteTransaction::Rollback() {
  if (sqlite3_get_autocommit(db_.getHandle()) != 0) return;
  if (db_.tryExec("ROLLBACK") != SQLITE_OK) {
    log::Error("revocation transaction not rolled back", {{"error", db_.getErrorMsg()}});
  }
}

std::string Reason(const SQLite::Exception& error) {
  if (error.getErrorCode() == SQLITE_FULL) return "the disk is full";
  // Of one that was not SQLite's own the extended code is negative.
  const int code = std::max(error.getErrorCode(), error.getExtendedErrorCode());
  return absl::StrCat(error.what(), " (SQLite error ", code, ")");
}

std::string Reason(const SQLite::Exception& error, SQLite::Database& db) {
  if (error.getErrorCode() != SQLITE_IOERR) return Reason(error);
  // Of the -wal file, to which all is written first, or of the database.
  sqlite3_file* file = nullptr;
  int code = 0;
  sqlite3_file_control(db.getHandle(), "main", SQLITE_FCNTL_JOURNAL_POINTER,
                       static_cast<void*>(&file));
  if (file != nullptr && file->pMethods != nullptr) {
    file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &code);
  }
  if (code == 0) sqlite3_file_control(db.getHandle(), "main", SQLITE_FCNTL_LAST_ERRNO, &code);
  if (code == 0) return Reason(error);
  return absl::StrCat(Reason(error), ": ", std::generic_category().message(code));
}

int64_t MicrosOfEnd(absl::Time time) {
  const int64_t micros = absl::ToUnixMicros(time);
  const bool is_cut = micros != kForever && absl::FromUnixMicros(micros) < time;
  return std::max(is_cut ? micros + 1 : micros, kNever + 1);
}

absl::Time TimeOfMicros(int64_t micros) {
  if (micros == kForever) return absl::InfiniteFuture();
  return micros == kNever ? absl::InfinitePast() : absl::FromUnixMicros(micros);
}

}  // namespace gatehouse::revocation
