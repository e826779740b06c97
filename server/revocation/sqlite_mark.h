#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace SQLite {
class Database;
}

namespace gatehouse::revocation {

// The mark in the database file that says "open: revocations may stand in the -wal
// file alone". It is a bit of the header's user_version, so that it can be read
// before SQLite makes a new, empty -wal file in place of a missing one; the bits
// below it are the schema's version. Set from the opening, or the first write after it, to a clean
// close.
inline constexpr uint32_t kOpenMark = uint32_t{1} << 16;

// The mark, beside that one, of a backup. It bears the id of the store that it was made of:
// opened as it is, it would count that store's revisions a second time.
inline constexpr uint32_t kBackupMark = uint32_t{1} << 17;

constexpr uint32_t SchemaOf(uint32_t user_version) {
  return user_version & ~(kOpenMark | kBackupMark);
}

std::string WalOf(const std::string& path);

// FAILED_PRECONDITION with what to do when the file at `path`, which is absolute and
// without links, bears the mark and has no -wal file beside it. An empty one will do.
absl::Status CheckWalOfMarked(const std::string& path, uint32_t user_version);

// Syncs the -wal file if it holds anything: a commit whose writer ended before it was synced
// is read from there all the same, and must not be told of while the machine may still lose
// it. SQLite's errors are thrown.
void SyncWal(SQLite::Database& db);

// FAILED_PRECONDITION with what to do when the file is marked as a backup.
absl::Status CheckNoBackup(const std::string& path, uint32_t user_version);

// Moves everything into the database file, with the open mark; for a connection that has
// the file locked. SQLite's errors are thrown.
void MarkOpen(SQLite::Database& db);

// Moves everything into the database file and then takes the marks away. SQLite's
// errors are thrown: then the file may still bear them, and needs its -wal file.
void MarkClosed(SQLite::Database& db);
// The same, but leaves the mark of a backup.
void MarkBackup(SQLite::Database& db);

}  // namespace gatehouse::revocation
