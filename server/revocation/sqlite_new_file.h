#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gatehouse::revocation {

// A database file that comes into being: empty and beside its place, mode 0600, until it is
// finished; gone with all that SQLite puts beside it if it never is. Replaces nothing.
class SqliteNewFile {
 public:
  // ALREADY_EXISTS if anything lies at `path` or at its -wal, -journal or -shm file;
  // NOT_FOUND for its folder, else FAILED_PRECONDITION.
  static absl::StatusOr<std::unique_ptr<SqliteNewFile>> Make(const std::string& path);

  ~SqliteNewFile();
  SqliteNewFile(const SqliteNewFile&) = delete;
  SqliteNewFile& operator=(const SqliteNewFile&) = delete;

  // Where it lies until it is finished.
  const std::string& path() const { return path_; }
  // Syncs it, moves it to its place and syncs the folder.
  absl::Status Finish();

 private:
  SqliteNewFile(std::string to, std::string path) : to_(std::move(to)), path_(std::move(path)) {}

  absl::Status Move();

  const std::string to_;
  const std::string path_;
  bool moved_ = false;
};

}  // namespace gatehouse::revocation
