#include "server/revocation/sqlite_backup.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/revocation/sqlite_access.h"
#include "server/revocation/sqlite_facts.h"
#include "server/revocation/sqlite_file.h"
#include "server/revocation/sqlite_mark.h"
#include "server/revocation/sqlite_schema.h"

namespace gatehouse::revocation {
namespace {

// 512 KiB, which take less than a millisecond.
constexpr int kPages = 128;

absl::Status CannotWrite(const SQLite::Exception& error) {
  return absl::UnavailableError(absl::StrCat("the backup was not made: ", Reason(error)));
}

// What is wrong with a file that could not be begun.
absl::Status NoFile(const std::string& path, const absl::Status& status) {
  if (absl::IsAlreadyExists(status)) return status;
  const std::string folder = absl::StrCat("the folder for backups ", FolderOf(path));
  return absl::UnavailableError(absl::IsNotFound(status)
                                    ? absl::StrCat(folder, " does not exist: make it")
                                    : absl::StrCat(folder, " takes no file: ", status.message()));
}

absl::StatusOr<int64_t> CleanAndCheck(const std::string& path) {
  SQLite::Database copy(path, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX);
  copy.exec("PRAGMA locking_mode = EXCLUSIVE");
  // The copy is complete without a -wal file, unlike the original, whose mark it bears.
  MarkBackup(copy);
  for (const absl::Status& status : {CheckDatabase(path, copy), CheckContent(copy)}) {
    if (!status.ok()) {
      return absl::UnavailableError(
          absl::StrCat("the backup was not made, since its copy is damaged: ", status.message()));
    }
  }
  return SqliteFacts(copy).Revision();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteBackup>> SqliteBackup::Begin(SQLite::Database& source,
                                                                  const std::string& path) {
  absl::StatusOr<std::unique_ptr<SqliteNewFile>> file = SqliteNewFile::Make(path);
  if (!file.ok()) return NoFile(path, file.status());
  std::unique_ptr<SqliteBackup> backup(new SqliteBackup(*std::move(file)));
  try {
    backup->copy_ = std::make_unique<SQLite::Database>(
        backup->file_->path(), SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX);
    // Nobody looks at it before Finish syncs it; a sync here would hold up the source.
    backup->copy_->exec("PRAGMA journal_mode = OFF");
    backup->copy_->exec("PRAGMA synchronous = OFF");
    SQLite::Database& copy = *backup->copy_;
    backup->backup_ = sqlite3_backup_init(copy.getHandle(), "main", source.getHandle(), "main");
    if (backup->backup_ == nullptr) throw SQLite::Exception(copy.getHandle());
  } catch (const SQLite::Exception& error) {
    return CannotWrite(error);
  }
  return backup;
}

SqliteBackup::SqliteBackup(std::unique_ptr<SqliteNewFile> file) : file_(std::move(file)) {}

SqliteBackup::~SqliteBackup() {
  if (backup_ != nullptr) sqlite3_backup_finish(backup_);
}

absl::StatusOr<bool> SqliteBackup::CopySome() {
  const int code = sqlite3_backup_step(backup_, kPages);
  if (code == SQLITE_OK) return false;
  const int finished = sqlite3_backup_finish(std::exchange(backup_, nullptr));
  if (code == SQLITE_DONE && finished == SQLITE_OK) return true;
  return CannotWrite(SQLite::Exception(sqlite3_errstr(code), code));
}

absl::StatusOr<BackupResult> SqliteBackup::Finish() {
  try {
    copy_.reset();
    GH_ASSIGN_OR_RETURN(const int64_t revision, CleanAndCheck(file_->path()));
    struct stat info;
    if (stat(file_->path().c_str(), &info) != 0) info.st_size = 0;
    GH_RETURN_IF_ERROR(file_->Finish());
    return BackupResult{.revision = revision, .bytes = info.st_size};
  } catch (const SQLite::Exception& error) {
    return CannotWrite(error);
  }
}

}  // namespace gatehouse::revocation
