#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/revocation/store.h"

namespace gatehouse::revocation {

struct SqliteOptions {
  std::string path;
  // Appends that may wait for the writer; beyond it UNAVAILABLE at once.
  size_t max_queued = size_t{16} * 1024;
};

// Makes a new, empty database with a new store id: mode 0600, synced with its
// folder. ALREADY_EXISTS if anything lies at `path` or at its -wal or -journal
// file; the folder must exist. The only way a database comes into being: an empty
// list lets every revoked token pass.
absl::Status CreateSqliteDatabase(const std::string& path);

// Opens a database: WAL, synchronous=FULL, locking_mode=EXCLUSIVE from before the
// first read, application_id and user_version checked, quick_check, every fact
// given to `listener` before this returns. `clock` and `listener` outlive the store.
//   NOT_FOUND            no such file; the message gives the command that makes one
//   FAILED_PRECONDITION  no database, another program's, a newer schema, damaged, in use,
//                        or without the -wal file that may hold revocations; the message
//                        names the file, what to do, and for one in use the process id
//                        that holds it where it can be told
// Touches nothing that it refuses. From here to a clean close the -wal file belongs to
// the database: without it the database is refused.
absl::StatusOr<std::unique_ptr<RevocationStore>> OpenSqliteStore(const SqliteOptions& options,
                                                                 const Clock& clock,
                                                                 RevocationListener& listener);

}  // namespace gatehouse::revocation
