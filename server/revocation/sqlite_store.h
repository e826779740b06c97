#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/revocation/store.h"
#include "server/revocation/store_counters.h"
#include "server/revocation/tag.h"

namespace gatehouse::revocation {

struct SqliteOptions {
  std::string path;
  // Appends that may wait for the writer; beyond it UNAVAILABLE at once.
  size_t max_queued = size_t{16} * 1024;
  // So much after its end a fact is forgotten.
  absl::Duration audit = absl::Hours(24 * 90);
  // What follows is called on the store's thread.
  // A session's fact is prolonged by so much while the session is still refused.
  std::function<absl::Duration()> keep = [] { return absl::Hours(24 * 30); };
  // Whether a good token that was fresh has been seen since the last call (CleanupGate): until
  // one was, or without this, nothing is cleaned up, and no fact forgotten.
  std::function<bool()> saw_good_token = {};
  // The sessions of which a token was refused since the last call.
  std::function<std::vector<Tag>()> take_refused_sessions = {};
  // Where the store counts, if anywhere.
  StoreCounters* counters = nullptr;
};

// Makes a new, empty database with a new store id: mode 0600, synced with its
// folder. ALREADY_EXISTS if anything lies at `path` or at its -wal or -journal
// file; the folder must exist. The only way a database comes into being: an empty
// list lets every revoked token pass.
absl::Status CreateSqliteDatabase(const std::string& path);

// Opens a database: WAL, synchronous=FULL, locking_mode=EXCLUSIVE from before the
// first read, application_id and user_version checked, quick_check, brought up to the
// schema of this program, and what is in force told to `listener` before this returns.
// `clock`, `listener` and what the options call and name outlive the store.
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

struct RestoreReport {
  std::string store_id = {};
  int64_t revision = 0;
  // It knows revocations up to then: the newest fact or reinstatement; InfinitePast
  // without any.
  absl::Time newest = absl::InfinitePast();
  int64_t facts = 0;
};

// Makes a database at `path` out of a backup, with a new store id, and nothing else changed:
// mode 0600, synced with its folder. The backup is checked as OpenSqliteStore checks a
// database, and left as it is.
//   ALREADY_EXISTS       something lies at `path` or at its -wal or -journal file
//   NOT_FOUND            no such backup, or no folder for `path`
//   FAILED_PRECONDITION  no backup, another program's, a newer schema, damaged, or a
//                        database in use; nothing is made
absl::Status RestoreSqliteDatabase(const std::string& backup, const std::string& path,
                                   RestoreReport& report);

}  // namespace gatehouse::revocation
