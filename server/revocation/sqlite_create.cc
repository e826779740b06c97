#include <SQLiteCpp/SQLiteCpp.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/revocation/sqlite_new_file.h"
#include "server/revocation/sqlite_schema.h"
#include "server/revocation/sqlite_store.h"

namespace gatehouse::revocation {
namespace {

absl::Status WriteDatabase(const std::string& path) {
  try {
    SQLite::Database db(path, SQLite::OPEN_READWRITE);
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    db.exec("PRAGMA synchronous = FULL");
    GH_RETURN_IF_ERROR(CreateSchema(db));
    // Kept in the file; the last close moves all of the -wal into it.
    const std::string mode = db.execAndGet("PRAGMA journal_mode = WAL").getString();
    if (mode != "wal") {
      return absl::FailedPreconditionError(
          absl::StrCat("the file system of ", path, " cannot hold a database in WAL mode"));
    }
    return absl::OkStatus();
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write the new database ", path, ": ", error.what()));
  }
}

}  // namespace

absl::Status CreateSqliteDatabase(const std::string& path) {
  GH_ASSIGN_OR_RETURN(std::unique_ptr<SqliteNewFile> file, SqliteNewFile::Make(path));
  GH_RETURN_IF_ERROR(WriteDatabase(file->path()));
  return file->Finish();
}

}  // namespace gatehouse::revocation
