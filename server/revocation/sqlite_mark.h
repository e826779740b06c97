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

std::string WalOf(const std::string& path);

// FAILED_PRECONDITION with what to do when the file at `path`, which is absolute and
// without links, bears the mark and has no -wal file beside it. An empty one will do.
absl::Status CheckWalOfMarked(const std::string& path, uint32_t user_version);

// Syncs the -wal file if it holds anything: a commit whose writer ended before it was synced
// is read from there all the same, and must not be told of while the machine may still lose
// it. SQLite's errors are thrown.
void SyncWal(SQLite::Database& db);

// Moves everything into the database file, with the mark; for a connection that has
// the file locked. SQLite's errors are thrown.
void MarkOpen(SQLite::Database& db);

// Moves everything into the database file and then takes the mark away. SQLite's
// errors are thrown: then the file may still bear it, and needs its -wal file.
void MarkClosed(SQLite::Database& db);

}  // namespace gatehouse::revocation
