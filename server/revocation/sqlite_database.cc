#include "server/revocation/sqlite_database.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/revocation/sqlite_access.h"
#include "server/revocation/sqlite_load.h"
#include "server/revocation/sqlite_mark.h"
#include "server/revocation/sqlite_schema.h"

namespace gatehouse::revocation {
namespace {

constexpr int kBusyTimeoutMs = 1000;

void SetConfig(SQLite::Database& db, int option, bool on) {
  db.check(sqlite3_db_config(db.getHandle(), option, on ? 1 : 0, nullptr));
}

using Inode = std::pair<dev_t, ino_t>;

std::optional<Inode> InodeOf(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return std::nullopt;
  return Inode(info.st_dev, info.st_ino);
}

// 0: the file of this inode is there. ENOENT: it is not. Else why nobody can say.
int LookFor(const Inode& inode, const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return errno == ENOTDIR ? ENOENT : errno;
  return Inode(info.st_dev, info.st_ino) == inode ? 0 : ENOENT;
}

}  // namespace

SqliteDatabase::SqliteDatabase(std::unique_ptr<SqliteFile> file, StoreCounters* counters)
    : file_(std::move(file)),
      counters_(counters),
      db_(file_->path(), SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX, kBusyTimeoutMs) {}

SqliteDatabase::~SqliteDatabase() {
  if (open_) Close();
}

void SqliteDatabase::Close() {
  const bool moved = !CheckPlace().ok();
  // The mark of one that lies elsewhere stays: its -wal file did not go with it.
  if (LookFor(inode_, path()) != 0) return;
  try {
    MarkClosed(db_);
    // Now SQLite may remove the -wal file; if it is another one by now, it is not ours.
    SetConfig(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, moved);
  } catch (const SQLite::Exception& error) {
    log::Error("the revocation database could not be closed cleanly: keep it and its -wal file",
               {{"file", path()}, {"error", Reason(error)}});
  }
}

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path,
                                                                     RevocationListener& listener,
                                                                     StoreCounters* counters) {
  GH_ASSIGN_OR_RETURN(std::unique_ptr<SqliteFile> file, SqliteFile::Claim(path));
  try {
    std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(std::move(file), counters));
    GH_RETURN_IF_ERROR(database->Prepare(listener));
    return database;
  } catch (const SQLite::Exception& error) {
    return absl::FailedPreconditionError(absl::StrCat(path, " cannot be opened: ", Reason(error)));
  }
}

absl::Status SqliteDatabase::Prepare(RevocationListener& listener) {
  try {
    // Closing a database that is refused must leave a -wal file as it is, even an
    // empty one; without one there is nothing to move, and the one made here must go.
    SetConfig(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, InodeOf(WalOf(path())).has_value());
    SetConfig(db_, SQLITE_DBCONFIG_DEFENSIVE, true);
    SetConfig(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, false);
    // Before the first read, which then takes the lock for good.
    db_.exec("PRAGMA locking_mode = EXCLUSIVE");
    db_.exec("PRAGMA trusted_schema = OFF");
    db_.exec("PRAGMA synchronous = FULL");
    // The part of the indexes that is written to at random, of some 200,000 entries. In KiB.
    db_.exec("PRAGMA cache_size = -8192");
    if (const absl::Status status = CheckDatabase(path(), db_); !status.ok()) {
      return absl::IsDataLoss(status) ? Damaged(status.message()) : status;
    }
    if (const absl::Status status = CheckContent(db_); !status.ok()) {
      return Damaged(status.message());
    }
    const std::string mode = db_.execAndGet("PRAGMA journal_mode = WAL").getString();
    if (mode != "wal") return Damaged(absl::StrCat("its journal mode stays ", mode));

    // Before the listener hears of anything.
    SyncWal(db_);
    // And before anything else is written.
    GH_RETURN_IF_ERROR(Migrate());
    facts_ = std::make_unique<SqliteFacts>(db_);
    store_id_ = facts_->StoreId();
    cleaned_until_ = facts_->CleanedUntil();
    // Those that were cleaned up before are not told of.
    told_ = {.end_time = cleaned_until_, .revision = kAll};
    told_suspensions_ = {.end_time = SqliteFacts::CleanedSuspensionsUntil(cleaned_until_),
                         .revision = kAll};
    const absl::StatusOr<int64_t> ended =
        LoadFacts(db_, facts_->Revision(), cleaned_until_, listener);
    if (!ended.ok()) return Damaged(ended.status().message());
    CountEnded(*ended, 0);

    wal_path_ = sqlite3_filename_wal(sqlite3_db_filename(db_.getHandle(), "main"));
    const std::optional<Inode> inode = InodeOf(wal_path_);
    if (!inode) return Damaged(absl::StrCat(wal_path_, " is missing"));
    wal_inode_ = *inode;
    inode_ = file_->inode();
    // From here to a clean close the -wal file stays: the mark asks for it.
    SetConfig(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    open_ = true;
    // A full disk must not keep what is known from being used: marked at the first
    // write then, before which nothing can be lost.
    try {
      MarkOpen(db_);
      marked_ = true;
    } catch (const SQLite::Exception& error) {
      log::Error("revocations cannot be written", {{"file", path()}, {"error", Reason(error)}});
    }
    return absl::OkStatus();
  } catch (const SQLite::Exception& error) {
    return Refusal(error);
  }
}

absl::Status SqliteDatabase::Refusal(const SQLite::Exception& error) const {
  switch (error.getErrorCode()) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return file_->InUse();
    case SQLITE_ERROR:  // a table or column that should be there
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Damaged(Reason(error));
    default:
      return absl::FailedPreconditionError(
          absl::StrCat(path(), " cannot be opened: ", Reason(error)));
  }
}

absl::Status SqliteDatabase::Damaged(absl::string_view how) const {
  return absl::FailedPreconditionError(
      absl::StrCat(path(), " is damaged: ", how,
                   ". It is left as it is: put back a good copy. A new, empty database would let "
                   "every revoked token pass"));
}

absl::Status SqliteDatabase::Migrate() {
  try {
    MigrateSchema(db_);
    return absl::OkStatus();
  } catch (const SQLite::Exception& error) {
    return absl::FailedPreconditionError(
        absl::StrCat(path(), " cannot be brought up to schema version ", kSchemaVersion, ": ",
                     Reason(error), ". It is left as it was"));
  }
}

absl::Status SqliteDatabase::WriteWith(const std::function<void()>& body) {
  try {
    if (const absl::Status status = CheckPlace(); !status.ok()) {
      Count(moved_ ? WriteError::kMoved : WriteError::kIo);
      return status;
    }
    if (!marked_) MarkOpen(db_);
    marked_ = true;
    SqliteTransaction transaction(db_);
    body();
    transaction.Commit();
  } catch (const SQLite::Exception& error) {
    Count(error.getErrorCode() == SQLITE_FULL ? WriteError::kDiskFull : WriteError::kIo);
    return absl::UnavailableError(absl::StrCat("nothing was written: ", Reason(error, db_)));
  }
  // Again: a commit to a file that has lost its name succeeds, and is gone with it.
  if (CheckPlace().ok()) return absl::OkStatus();
  // It is committed, and nobody is told: only a restart brings the two together.
  Count(WriteError::kMoved);
  return MovedAway();
}

absl::Status SqliteDatabase::ReadWith(const std::function<void()>& body) {
  try {
    body();
    return absl::OkStatus();
  } catch (const SQLite::Exception& error) {
    return absl::UnavailableError(absl::StrCat("the revocations cannot be read: ", Reason(error)));
  }
}

void SqliteDatabase::Count(WriteError error) {
  if (counters_ != nullptr) counters_->Count(error);
}

void SqliteDatabase::CountEnded(int64_t more, int64_t cleaned) {
  if (counters_ == nullptr) return;
  counters_->ended_kept.fetch_add(more, std::memory_order_relaxed);
  counters_->cleaned.fetch_add(cleaned, std::memory_order_relaxed);
}

absl::Status SqliteDatabase::CheckPlace() {
  if (moved_) return MovedAway();
  int error = LookFor(inode_, path());
  if (error == 0) error = LookFor(wal_inode_, wal_path_);
  if (error == 0) return absl::OkStatus();
  if (error == ENOENT) return MovedAway();
  return absl::UnavailableError(
      absl::StrCat("nothing was written: whether the database still lies at ", path(),
                   " cannot be seen: ", std::generic_category().message(error)));
}

absl::Status SqliteDatabase::MovedAway() {
  // SQLite would apply a -wal file left here to whatever database is put in this
  // one's place. So its content goes to where it belongs, and it is emptied.
  if (!moved_) db_.tryExec("PRAGMA wal_checkpoint(TRUNCATE)");
  moved_ = true;
  return absl::UnavailableError(
      "a revocation would be lost: the database file or its -wal file was moved or deleted "
      "while in use; put it back and restart the server");
}

}  // namespace gatehouse::revocation
