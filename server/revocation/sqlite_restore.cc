#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/status_macros.h"
#include "server/revocation/random_id.h"
#include "server/revocation/sqlite_access.h"
#include "server/revocation/sqlite_facts.h"
#include "server/revocation/sqlite_file.h"
#include "server/revocation/sqlite_mark.h"
#include "server/revocation/sqlite_new_file.h"
#include "server/revocation/sqlite_schema.h"
#include "server/revocation/sqlite_store.h"

namespace gatehouse::revocation {
namespace {

constexpr size_t kBlock = size_t{64} * 1024;

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC)) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status Failed(absl::string_view what, const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat(what, " ", path, ": ", std::generic_category().message(errno)));
}

absl::StatusOr<std::string> WithoutLinks(const std::string& path) {
  char* const resolved = realpath(path.c_str(), nullptr);
  if (resolved == nullptr) {
    return errno == ENOENT || errno == ENOTDIR
               ? absl::NotFoundError(absl::StrCat("the backup ", path, " does not exist"))
               : Failed("cannot read the backup", path);
  }
  std::string result = resolved;
  std::free(resolved);
  return result;
}

// What stands beside a database may hold revocations that it lacks. One that needs its -wal
// file (sqlite_mark.h) was refused before if it has none.
absl::Status CheckAlone(const std::string& backup) {
  for (const char* suffix : {"-wal", "-journal"}) {
    const std::string companion = backup + suffix;
    struct stat info;
    if (stat(companion.c_str(), &info) != 0) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        backup, " is no backup, but a database that is in use or was not closed cleanly, since ",
        companion, " lies beside it: start the server with it, or make a backup with ",
        "`gatehouse revocations backup`"));
  }
  return absl::OkStatus();
}

absl::Status Damaged(const std::string& backup, absl::string_view how) {
  return absl::FailedPreconditionError(
      absl::StrCat(backup, " is damaged: ", how, ". Take another backup"));
}

absl::Status CopyBytes(const Descriptor& from, const std::string& backup, const std::string& to) {
  const Descriptor out(to, O_WRONLY);
  if (out.get() < 0) return Failed("cannot write", to);
  std::array<char, kBlock> block;
  off_t at = 0;
  while (true) {
    const ssize_t got = pread(from.get(), block.data(), block.size(), at);
    if (got < 0) return Failed("cannot read the backup", backup);
    if (got == 0) return absl::OkStatus();
    for (ssize_t done = 0; done < got;) {
      const ssize_t written =
          write(out.get(), block.data() + done, static_cast<size_t>(got - done));
      if (written < 0) return Failed("cannot write", to);
      done += written;
    }
    at += got;
  }
}

// SQLite sees the copy alone: it would write to the backup.
absl::Status CheckAndChange(const std::string& backup, const std::string& copy,
                            RestoreReport& report) {
  SQLite::Database db(copy, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX);
  db.exec("PRAGMA locking_mode = EXCLUSIVE");
  db.exec("PRAGMA trusted_schema = OFF");
  absl::Status status = CheckDatabase(backup, db);
  if (status.ok()) status = CheckContent(db);
  if (absl::IsDataLoss(status)) return Damaged(backup, status.message());
  GH_RETURN_IF_ERROR(status);
  MigrateSchema(db);
  GH_ASSIGN_OR_RETURN(const std::string store_id, RandomId());
  SqliteFacts(db).SetStoreId(store_id);
  report.store_id = store_id;
  report.revision = SqliteFacts(db).Revision();
  report.facts = db.execAndGet("SELECT count(*) FROM fact").getInt64();
  const int64_t newest =
      db.execAndGet(
            "SELECT max((SELECT coalesce(max(create_time), -9223372036854775808) FROM fact),"
            " (SELECT coalesce(max(create_time), -9223372036854775808)"
            " FROM reinstatement))")
          .getInt64();
  report.newest = TimeOfMicros(newest);
  if (db.execAndGet("PRAGMA journal_mode = WAL").getString() != "wal") {
    return absl::FailedPreconditionError(
        absl::StrCat("the file system of ", copy, " cannot hold a database in WAL mode"));
  }
  MarkClosed(db);
  return absl::OkStatus();
}

}  // namespace

absl::Status RestoreSqliteDatabase(const std::string& backup, const std::string& path,
                                   RestoreReport& report) {
  GH_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteNewFile> file, SqliteNewFile::Make(path));
  GH_ASSIGN_OR_RETURN(const std::string from, WithoutLinks(backup));
  const Descriptor bytes(from, O_RDONLY | O_NONBLOCK);
  struct stat info;
  if (bytes.get() < 0 || fstat(bytes.get(), &info) != 0) {
    return Failed("cannot read the backup", from);
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(from, " is not a regular file"));
  }
  GH_RETURN_IF_ERROR(CheckSqliteHeader(bytes.get(), from, Purpose::kRestore));
  GH_RETURN_IF_ERROR(CheckAlone(from));
  GH_RETURN_IF_ERROR(CopyBytes(bytes, from, file->path()));
  try {
    GH_RETURN_IF_ERROR(CheckAndChange(from, file->path(), report));
  } catch (const SQLite::Exception& error) {
    switch (error.getErrorCode()) {
      case SQLITE_ERROR:  // a table or column that should be there
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB:
        return Damaged(from, Reason(error));
      default:
        return absl::FailedPreconditionError(
            absl::StrCat(from, " cannot be restored to ", path, ": ", Reason(error)));
    }
  }
  return file->Finish();
}

}  // namespace gatehouse::revocation
