#include "server/revocation/sqlite_database.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/revocation/random_id.h"
#include "server/revocation/sqlite_mark.h"
#include "server/revocation/sqlite_schema.h"

namespace gatehouse::revocation {
namespace {

constexpr int kBusyTimeoutMs = 1000;
constexpr size_t kLoadBatch = 1024;
constexpr int kMaxPage = 1000;
constexpr size_t kMaxPageText = size_t{256} * 1024;
constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

#define GH_FACT_COLUMNS                                                                   \
  "revision, id, tag, kind, issuer, target, issued_until, end_time, create_time, actor, " \
  "reason"

// Rounded up: a fact must not end sooner for being stored.
int64_t MicrosOfEnd(absl::Time time) {
  const int64_t micros = absl::ToUnixMicros(time);
  return micros != kForever && absl::FromUnixMicros(micros) < time ? micros + 1 : micros;
}

absl::Time TimeOfMicros(int64_t micros) {
  return micros == kForever ? absl::InfiniteFuture() : absl::FromUnixMicros(micros);
}

// Reset on the way out, so that no statement keeps a read open.
class Use {
 public:
  explicit Use(SQLite::Statement& statement) : statement_(statement) {}
  ~Use() { statement_.tryReset(); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  SQLite::Statement* operator->() { return &statement_; }

 private:
  SQLite::Statement& statement_;
};

// SQLiteCpp's own swallows a failed rollback and cannot be told to roll back.
class Transaction {
 public:
  explicit Transaction(SQLite::Database& db) : db_(db) {
    Rollback();
    db_.exec("BEGIN IMMEDIATE");
  }
  ~Transaction() { Rollback(); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void Commit() { db_.exec("COMMIT"); }

 private:
  // Some errors have rolled back already; a failed COMMIT may have or not.
  void Rollback() {
    if (sqlite3_get_autocommit(db_.getHandle()) != 0) return;
    if (db_.tryExec("ROLLBACK") != SQLITE_OK) {
      log::Error("revocation transaction not rolled back", {{"error", db_.getErrorMsg()}});
    }
  }

  SQLite::Database& db_;
};

std::string Reason(const SQLite::Exception& error) {
  if (error.getErrorCode() == SQLITE_FULL) return "the disk is full";
  return absl::StrCat(error.what(), " (SQLite error ", error.getExtendedErrorCode(), ")");
}

// Throws on what this program never wrote.
Fact ReadFact(SQLite::Statement& row) {
  Fact fact;
  fact.revision = row.getColumn(0).getInt64();
  fact.id = row.getColumn(1).getString();
  const SQLite::Column tag = row.getColumn(2);
  const int64_t kind = row.getColumn(3).getInt64();
  if (tag.getBytes() != static_cast<int>(fact.tag.bytes.size()) || kind < 1 || kind > 7) {
    throw SQLite::Exception(absl::StrCat("row ", fact.revision, " is no revocation"),
                            SQLITE_CORRUPT);
  }
  std::memcpy(fact.tag.bytes.data(), tag.getBlob(), fact.tag.bytes.size());
  fact.kind = static_cast<TagKind>(kind);
  fact.issuer = row.getColumn(4).getString();
  fact.target = row.getColumn(5).getString();
  fact.issued_until = row.getColumn(6).getInt64();
  fact.end_time = TimeOfMicros(row.getColumn(7).getInt64());
  fact.create_time = TimeOfMicros(row.getColumn(8).getInt64());
  fact.actor = row.getColumn(9).getString();
  fact.reason = row.getColumn(10).getString();
  return fact;
}

size_t TextOf(const Fact& fact) {
  return fact.id.size() + fact.issuer.size() + fact.target.size() + fact.actor.size() +
         fact.reason.size();
}

void BindTag(SQLite::Statement& statement, int index, const Tag& tag) {
  statement.bindNoCopy(index, tag.bytes.data(), static_cast<int>(tag.bytes.size()));
}

void SetConfig(SQLite::Database& db, int option, bool on) {
  db.check(sqlite3_db_config(db.getHandle(), option, on ? 1 : 0, nullptr));
}

std::optional<std::pair<dev_t, ino_t>> InodeOf(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return std::nullopt;
  return std::make_pair(info.st_dev, info.st_ino);
}

}  // namespace

struct SqliteDatabase::Statements {
  explicit Statements(SQLite::Database& db)
      : revision(db, "SELECT value FROM revision"),
        raise(db, "UPDATE revision SET value = ?"),
        in_force(db, "SELECT " GH_FACT_COLUMNS
                     " FROM fact WHERE tag = ? AND issued_until >= ? AND end_time >= ? LIMIT 1"),
        insert(db, "INSERT INTO fact (" GH_FACT_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?)"),
        page(db, "SELECT " GH_FACT_COLUMNS
                 " FROM fact WHERE revision < ? ORDER BY revision DESC LIMIT ?") {}

  SQLite::Statement revision;
  SQLite::Statement raise;
  SQLite::Statement in_force;
  SQLite::Statement insert;
  SQLite::Statement page;
};

SqliteDatabase::SqliteDatabase(std::unique_ptr<SqliteFile> file)
    : file_(std::move(file)),
      db_(file_->path(), SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX, kBusyTimeoutMs) {}

SqliteDatabase::~SqliteDatabase() {
  if (open_) Close();
}

void SqliteDatabase::Close() {
  const bool moved = HasMoved();
  // The mark of one that lies elsewhere stays: its -wal file did not go with it.
  if (FileHasMoved()) return;
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
                                                                     RevocationListener& listener) {
  GH_ASSIGN_OR_RETURN(std::unique_ptr<SqliteFile> file, SqliteFile::Claim(path));
  try {
    std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(std::move(file)));
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
    if (const absl::Status status = CheckDatabase(path(), db_); !status.ok()) {
      return absl::IsDataLoss(status) ? Damaged(std::string(status.message())) : status;
    }
    const std::string mode = db_.execAndGet("PRAGMA journal_mode = WAL").getString();
    if (mode != "wal") return Damaged(absl::StrCat("its journal mode stays ", mode));

    statements_ = std::make_unique<Statements>(db_);
    GH_RETURN_IF_ERROR(Load(listener));

    wal_path_ = sqlite3_filename_wal(sqlite3_db_filename(db_.getHandle(), "main"));
    const std::optional<Inode> inode = InodeOf(wal_path_);
    if (!inode) return Damaged(absl::StrCat(wal_path_, " is missing"));
    wal_inode_ = *inode;
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

absl::Status SqliteDatabase::Damaged(const std::string& how) const {
  return absl::FailedPreconditionError(
      absl::StrCat(path(), " is damaged: ", how,
                   ". It is left as it is: put back a good copy. A new, empty database would let "
                   "every revoked token pass"));
}

absl::Status SqliteDatabase::Load(RevocationListener& listener) {
  SQLite::Statement store(db_, "SELECT store_id FROM store");
  if (!store.executeStep()) return Damaged("it has no store id");
  store_id_ = store.getColumn(0).getString();
  store.reset();
  const int64_t revision = Revision();
  std::vector<Fact> batch;
  int64_t last = 0;
  SQLite::Statement all(db_, "SELECT " GH_FACT_COLUMNS " FROM fact ORDER BY revision");
  while (all.executeStep()) {
    if (batch.size() == kLoadBatch) {
      listener.OnCommitted(batch, last);
      batch.clear();
    }
    batch.push_back(ReadFact(all));
    last = batch.back().revision;
  }
  if (last > revision) {
    return Damaged(absl::StrCat("its revision is ", revision, ", but it holds one of ", last));
  }
  listener.OnCommitted(batch, revision);
  return absl::OkStatus();
}

int64_t SqliteDatabase::Revision() {
  Use statement(statements_->revision);
  if (!statement->executeStep()) throw SQLite::Exception("no revision", SQLITE_CORRUPT);
  return statement->getColumn(0).getInt64();
}

absl::StatusOr<SqliteDatabase::Group> SqliteDatabase::Write(std::vector<NewFact> facts,
                                                            absl::Time now) {
  std::vector<std::string> ids;
  for (size_t i = 0; i < facts.size(); ++i) {
    absl::StatusOr<std::string> id = RandomId();
    if (!id.ok()) return absl::UnavailableError(id.status().message());
    ids.push_back(*std::move(id));
  }
  try {
    std::optional<Group> group;
    if (!HasMoved()) {
      if (!marked_) MarkOpen(db_);
      marked_ = true;
      group = WriteGroup(std::move(facts), std::move(ids), now);
    }
    // Again: a commit to a file that has lost its name succeeds, and is gone with it.
    if (!HasMoved()) return *std::move(group);
  } catch (const SQLite::Exception& error) {
    return absl::UnavailableError(absl::StrCat("nothing was written: ", Reason(error)));
  }
  return absl::UnavailableError(
      "a revocation would be lost: the database file or its -wal file was moved or deleted "
      "while in use; put it back and restart the server");
}

SqliteDatabase::Group SqliteDatabase::WriteGroup(std::vector<NewFact> facts,
                                                 std::vector<std::string> ids, absl::Time now) {
  Transaction transaction(db_);
  Group group;
  group.revision = Revision();
  const int64_t create_time = absl::ToUnixMicros(now);
  for (size_t i = 0; i < facts.size(); ++i) {
    NewFact& wanted = facts[i];
    const int64_t end_time = MicrosOfEnd(wanted.end_time);
    {
      Use in_force(statements_->in_force);
      BindTag(statements_->in_force, 1, wanted.tag);
      in_force->bind(2, wanted.issued_until);
      in_force->bind(3, end_time);
      if (in_force->executeStep()) {
        group.results.push_back(
            {.fact = ReadFact(statements_->in_force), .existed = true, .revision = 0});
        continue;
      }
    }
    Fact fact{std::move(wanted), std::move(ids[i]), TimeOfMicros(create_time), ++group.revision};
    fact.end_time = TimeOfMicros(end_time);
    Use insert(statements_->insert);
    insert->bind(1, fact.revision);
    insert->bindNoCopy(2, fact.id);
    BindTag(statements_->insert, 3, fact.tag);
    insert->bind(4, static_cast<int>(fact.kind));
    insert->bindNoCopy(5, fact.issuer);
    insert->bindNoCopy(6, fact.target);
    insert->bind(7, fact.issued_until);
    insert->bind(8, end_time);
    insert->bind(9, create_time);
    insert->bindNoCopy(10, fact.actor);
    insert->bindNoCopy(11, fact.reason);
    insert->exec();
    group.results.push_back({.fact = fact, .existed = false, .revision = 0});
    group.added.push_back(std::move(fact));
  }
  if (!group.added.empty()) {
    Use raise(statements_->raise);
    raise->bind(1, group.revision);
    raise->exec();
  }
  transaction.Commit();
  for (AppendResult& result : group.results) result.revision = group.revision;
  return group;
}

bool SqliteDatabase::HasMoved() {
  if (moved_) return true;
  moved_ = FileHasMoved() || InodeOf(wal_path_) != wal_inode_;
  // SQLite would apply a -wal file left here to whatever database is put in this
  // one's place. So its content goes to where it belongs, and it is emptied.
  if (moved_) db_.tryExec("PRAGMA wal_checkpoint(TRUNCATE)");
  return moved_;
}

bool SqliteDatabase::FileHasMoved() {
  int moved = 0;
  return sqlite3_file_control(db_.getHandle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) !=
             SQLITE_OK ||
         moved != 0;
}

absl::StatusOr<ListResult> SqliteDatabase::List(const ListQuery& query) {
  const int limit = std::clamp(query.limit, 1, kMaxPage);
  try {
    ListResult result;
    result.revision = Revision();
    Use page(statements_->page);
    page->bind(1, query.before_revision == 0 ? kForever : query.before_revision);
    page->bind(2, limit + 1);
    size_t text = 0;
    while (page->executeStep()) {
      Fact fact = ReadFact(statements_->page);
      text += TextOf(fact);
      const bool full = result.facts.size() == static_cast<size_t>(limit) || text > kMaxPageText;
      result.more = full && !result.facts.empty();
      if (result.more) break;
      result.facts.push_back(std::move(fact));
    }
    return result;
  } catch (const SQLite::Exception& error) {
    return absl::UnavailableError(absl::StrCat("the revocations cannot be read: ", Reason(error)));
  }
}

}  // namespace gatehouse::revocation
