#include "server/revocation/sqlite_new_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/revocation/sqlite_file.h"

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

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteNewFile>> SqliteNewFile::Make(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return absl::FailedPreconditionError("the database's path is empty or holds a zero byte");
  }
  GH_RETURN_IF_ERROR(CheckFolder(path));
  GH_RETURN_IF_ERROR(CheckNothingLiesAt(path));
  for (const char* companion : kCompanions) {
    GH_RETURN_IF_ERROR(CheckNoCompanionLiesAt(path, path + companion));
  }
  // "file:..." and ":memory:" have a meaning of their own to SQLite.
  std::string temporary = (path.starts_with('/') ? path : "./" + path) + ".new-XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);  // mode 0600
  if (fd < 0) return ErrnoStatus("make a file beside", path);
  close(fd);
  return std::unique_ptr<SqliteNewFile>(new SqliteNewFile(path, std::move(temporary)));
}

SqliteNewFile::~SqliteNewFile() {
  if (moved_) return;
  unlink(path_.c_str());
  for (const char* companion : kCompanions) unlink((path_ + companion).c_str());
}

absl::Status SqliteNewFile::Finish() {
  GH_RETURN_IF_ERROR(Sync(path_, O_RDWR));
  GH_RETURN_IF_ERROR(Move());
  return Sync(FolderOf(to_), O_RDONLY | O_DIRECTORY);
}

absl::Status SqliteNewFile::Move() {
  if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, to_.c_str(), RENAME_NOREPLACE) == 0) {
    moved_ = true;
    return absl::OkStatus();
  }
  // Not every file system knows that flag. A link never replaces either.
  if ((errno == EINVAL || errno == ENOSYS) && link(path_.c_str(), to_.c_str()) == 0) {
    return absl::OkStatus();
  }
  return errno == EEXIST ? Exists(to_) : ErrnoStatus("make", to_);
}

}  // namespace gatehouse::revocation
