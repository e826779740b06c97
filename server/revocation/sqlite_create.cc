#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/revocation/sqlite_file.h"
#include "server/revocation/sqlite_schema.h"
#include "server/revocation/sqlite_store.h"

namespace gatehouse::revocation {
namespace {

constexpr const char* kCompanions[] = {"-wal", "-journal", "-shm"};

absl::Status ErrnoStatus(absl::string_view what, const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat("cannot ", what, " ", path, ": ", std::generic_category().message(errno)));
}

absl::Status Exists(const std::string& path) {
  return absl::AlreadyExistsError(absl::StrCat(
      path,
      " exists already, and a database is never replaced: move it away first, or name another "
      "file"));
}

absl::Status CheckNothingLiesAt(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0 ? Exists(path) : absl::OkStatus();
}

absl::Status CheckNoCompanionLiesAt(const std::string& path, const std::string& companion) {
  if (CheckNothingLiesAt(companion).ok()) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(
      companion, " exists, but not its database ", path,
      ": it may hold revocations of a database that was moved, so keep it with that one; no new "
      "one is made beside it. Put the database back, or name another file"));
}

absl::Status CheckFolder(const std::string& path) {
  const std::string folder = FolderOf(path);
  struct stat info;
  if (stat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("the folder ", folder, " of the database ", path, " does not exist: make it"));
}

absl::Status Sync(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus("open", path);
  const bool synced = fsync(fd) == 0;
  const absl::Status status = synced ? absl::OkStatus() : ErrnoStatus("sync", path);
  close(fd);
  return status;
}

// A new empty file beside `path`, removed with all that SQLite puts beside it,
// unless it was moved to its place.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path) : path_(path + ".new-XXXXXX") {
    const int fd = mkostemp(path_.data(), O_CLOEXEC);  // mode 0600
    made_ = fd >= 0;
    if (made_) close(fd);
  }
  ~TemporaryFile() {
    if (!made_) return;
    unlink(path_.c_str());
    for (const char* companion : kCompanions) unlink((path_ + companion).c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  bool made() const { return made_; }
  const std::string& path() const { return path_; }

  absl::Status MoveTo(const std::string& to) {
    if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
      made_ = false;
      return absl::OkStatus();
    }
    // Not every file system knows that flag. A link never replaces either.
    if ((errno == EINVAL || errno == ENOSYS) && link(path_.c_str(), to.c_str()) == 0) {
      return absl::OkStatus();
    }
    return errno == EEXIST ? Exists(to) : ErrnoStatus("make", to);
  }

 private:
  std::string path_;
  bool made_ = false;
};

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
  if (path.empty() || path.find('\0') != std::string::npos) {
    return absl::FailedPreconditionError("the database's path is empty or holds a zero byte");
  }
  GH_RETURN_IF_ERROR(CheckFolder(path));
  GH_RETURN_IF_ERROR(CheckNothingLiesAt(path));
  for (const char* companion : kCompanions) {
    GH_RETURN_IF_ERROR(CheckNoCompanionLiesAt(path, path + companion));
  }
  TemporaryFile file(path.starts_with('/') ? path : "./" + path);
  if (!file.made()) return ErrnoStatus("make a file beside", path);
  GH_RETURN_IF_ERROR(WriteDatabase(file.path()));
  GH_RETURN_IF_ERROR(Sync(file.path(), O_RDWR));
  GH_RETURN_IF_ERROR(file.MoveTo(path));
  return Sync(FolderOf(path), O_RDONLY | O_DIRECTORY);
}

}  // namespace gatehouse::revocation
