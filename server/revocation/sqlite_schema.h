#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace SQLite {
class Database;
}

namespace gatehouse::revocation {

inline constexpr uint32_t kApplicationId = 0x47617465;  // "Gate"
inline constexpr uint32_t kSchemaVersion = 2;
// Files of this version are brought up to date when they are opened.
inline constexpr uint32_t kOldestSchemaVersion = 1;

// Said by every message about a database that is not there or not ours.
inline constexpr char kCreateCommand[] = "`gatehouse-server --create-database --config FILE`";

// Whether a file with these numbers in its header is one that this program may
// open: FAILED_PRECONDITION for another program's and for a newer schema. The
// marks (sqlite_mark.h) make no difference.
absl::Status CheckIdentity(const std::string& path, uint32_t application_id, uint32_t user_version);

// Writes the tables and a new store id into an empty database. SQLite's errors are
// thrown.
absl::Status CreateSchema(SQLite::Database& db);

// The identity as SQLite reads it (the file's header may be older than its -wal),
// and PRAGMA quick_check. DATA_LOSS: damaged. SQLite's errors are thrown.
absl::Status CheckDatabase(const std::string& path, SQLite::Database& db);

// What quick_check cannot know: that there is one store id and one revision, which no fact
// is above. For the schema of either version. DATA_LOSS, with how it is damaged. SQLite's
// errors are thrown.
absl::Status CheckContent(SQLite::Database& db);

// Brings a checked database up to kSchemaVersion, in one transaction; the open mark stays as
// it is. SQLite's errors are thrown: then the file is as it was.
void MigrateSchema(SQLite::Database& db);

}  // namespace gatehouse::revocation
