#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gatehouse::revocation {

// The database file before SQLite sees it: SQLite would make a missing file, fill
// an empty one and mend or switch over another program's. Holds the only file
// descriptor that this process opens beside SQLite's own.
//
// POSIX drops all of a process's locks on a file as soon as it closes any
// descriptor of it. So this object outlives SQLite's connection, and a second one
// for the same file is refused before it opens anything.
class SqliteFile {
 public:
  // NOT_FOUND, or FAILED_PRECONDITION with what to do. Checks everything that can
  // be read without SQLite: kind of file, rights, whether another process has it
  // locked, header, whether the -wal file is there when it may hold revocations.
  static absl::StatusOr<std::unique_ptr<SqliteFile>> Claim(const std::string& path);

  ~SqliteFile();
  SqliteFile(const SqliteFile&) = delete;
  SqliteFile& operator=(const SqliteFile&) = delete;

  // Absolute and without links.
  const std::string& path() const { return path_; }
  std::pair<dev_t, ino_t> inode() const { return {device_, inode_}; }

  // FAILED_PRECONDITION, naming the process that has the file locked if one has.
  absl::Status CheckUnlocked() const;
  // The same when SQLite has found it locked, whether the process can be told or not.
  absl::Status InUse() const;

 private:
  SqliteFile(std::string path, dev_t device, ino_t inode)
      : path_(std::move(path)), device_(device), inode_(inode) {}

  absl::Status OpenAndCheck();
  // 0: nobody; negative: somebody who cannot be told.
  pid_t LockHolder() const;

  const std::string path_;
  const dev_t device_;
  const ino_t inode_;
  int fd_ = -1;
};

// What a file is looked at for: a backup is restored, and not opened.
enum class Purpose : uint8_t { kOpen, kRestore };

// Whether the open file begins as a database that this program may open or restore does, and
// has the -wal file that it needs: FAILED_PRECONDITION with what to do. `path` is absolute and
// without links.
absl::Status CheckSqliteHeader(int fd, const std::string& path, Purpose purpose);

// The folder that a path lies in.
std::string FolderOf(const std::string& path);

}  // namespace gatehouse::revocation
