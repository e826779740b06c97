#include "server/revocation/sqlite_schema.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/revocation/random_id.h"
#include "server/revocation/sqlite_access.h"
#include "server/revocation/sqlite_mark.h"

namespace gatehouse::revocation {
namespace {

// Times are microseconds since 1970; the highest value is the infinite future.
// `issued_until` is in seconds; the highest value covers every token.
constexpr char kVersion1[] = R"(
CREATE TABLE store (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  store_id TEXT NOT NULL CHECK (length(store_id) = 32)
) STRICT;
CREATE TABLE revision (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  value INTEGER NOT NULL CHECK (value >= 0)
) STRICT;
CREATE TABLE fact (
  revision     INTEGER PRIMARY KEY,
  id           TEXT NOT NULL CHECK (length(id) = 32),
  tag          BLOB NOT NULL CHECK (length(tag) = 16),
  kind         INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 7),
  issuer       TEXT NOT NULL,
  target       TEXT NOT NULL,
  issued_until INTEGER NOT NULL,
  end_time     INTEGER NOT NULL,
  create_time  INTEGER NOT NULL,
  actor        TEXT NOT NULL,
  reason       TEXT NOT NULL
) STRICT;
CREATE INDEX fact_by_tag ON fact (tag, issued_until, end_time);
INSERT INTO revision (one, value) VALUES (1, 0);
)";

// fact_by_tag says what is in force on a tag without the row. The lowest `cleaned_until`
// is the infinite past.
constexpr char kFrom1To2[] = R"(
ALTER TABLE store ADD COLUMN cleaned_until INTEGER NOT NULL DEFAULT -9223372036854775808;
ALTER TABLE fact ADD COLUMN suspends INTEGER NOT NULL DEFAULT 0 CHECK (suspends IN (0, 1));
CREATE TABLE reinstatement (
  revision    INTEGER PRIMARY KEY,
  id          TEXT NOT NULL CHECK (length(id) = 32),
  fact        INTEGER NOT NULL UNIQUE,
  actor       TEXT NOT NULL,
  reason      TEXT NOT NULL,
  create_time INTEGER NOT NULL
) STRICT;
DROP INDEX fact_by_tag;
CREATE INDEX fact_by_tag ON fact (tag, suspends, issued_until, end_time);
CREATE INDEX fact_by_end ON fact (end_time);
CREATE UNIQUE INDEX fact_by_id ON fact (id);
)";

uint32_t PragmaNumber(SQLite::Database& db, const char* pragma) {
  return db.execAndGet(pragma).getUInt();
}

}  // namespace

absl::Status CheckIdentity(const std::string& path, uint32_t application_id,
                           uint32_t user_version) {
  if (application_id != kApplicationId) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s is another program's database (application_id 0x%08x, Gatehouse's is 0x%08x): it is "
        "left as it is; name another file, and create it with %s",
        path, application_id, kApplicationId, kCreateCommand));
  }
  const uint32_t version = SchemaOf(user_version);
  if (version < kOldestSchemaVersion || version > kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " has schema version ", version, " and this program knows only ",
        kOldestSchemaVersion, " to ", kSchemaVersion,
        version > kSchemaVersion ? ": a newer Gatehouse made it; start that one or a newer one"
                                 : ": it is no complete Gatehouse database; put back a good copy"));
  }
  return absl::OkStatus();
}

absl::Status CreateSchema(SQLite::Database& db) {
  GH_ASSIGN_OR_RETURN(const std::string store_id, RandomId());
  SqliteTransaction transaction(db);
  db.exec(absl::StrCat("PRAGMA application_id = ", kApplicationId));
  db.exec(absl::StrCat("PRAGMA user_version = ", kSchemaVersion));
  db.exec(kVersion1);
  db.exec(kFrom1To2);
  SQLite::Statement insert(db, "INSERT INTO store (one, store_id) VALUES (1, ?)");
  insert.bind(1, store_id);
  insert.exec();
  transaction.Commit();
  return absl::OkStatus();
}

absl::Status CheckDatabase(const std::string& path, SQLite::Database& db) {
  GH_RETURN_IF_ERROR(CheckIdentity(path, PragmaNumber(db, "PRAGMA application_id"),
                                   PragmaNumber(db, "PRAGMA user_version")));
  SQLite::Statement check(db, "PRAGMA quick_check(1)");
  const std::string answer = check.executeStep() ? check.getColumn(0).getString() : "no answer";
  if (answer != "ok") {
    return absl::DataLossError(log::Escape(answer));
  }
  return absl::OkStatus();
}

absl::Status CheckContent(SQLite::Database& db) {
  SQLite::Statement store(db, "SELECT store_id FROM store");
  if (!store.executeStep()) return absl::DataLossError("it has no store id");
  SQLite::Statement counter(db, "SELECT value FROM revision");
  if (!counter.executeStep()) return absl::DataLossError("it has no revision");
  const int64_t revision = counter.getColumn(0).getInt64();
  const bool has_reinstatements = SchemaOf(PragmaNumber(db, "PRAGMA user_version")) != 1;
  SQLite::Statement highest(db, has_reinstatements
                                    ? "SELECT max((SELECT coalesce(max(revision), 0) FROM fact),"
                                      " (SELECT coalesce(max(revision), 0) FROM reinstatement))"
                                    : "SELECT coalesce(max(revision), 0) FROM fact");
  highest.executeStep();
  const int64_t last = highest.getColumn(0).getInt64();
  if (last <= revision) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("its revision is ", revision, ", but it holds one of ", last));
}

void MigrateSchema(SQLite::Database& db) {
  const uint32_t user_version = PragmaNumber(db, "PRAGMA user_version");
  if (SchemaOf(user_version) == kSchemaVersion) return;
  SqliteTransaction transaction(db);
  db.exec(kFrom1To2);
  db.exec(absl::StrCat("PRAGMA user_version = ", (user_version & kOpenMark) | kSchemaVersion));
  transaction.Commit();
}

}  // namespace gatehouse::revocation
