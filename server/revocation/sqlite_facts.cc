#include "server/revocation/sqlite_facts.h"

#include <sqlite3.h>

#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/revocation/sqlite_access.h"

namespace gatehouse::revocation {
namespace {

// The order in which ReadFact reads.
#define GH_FACTS                                                                      \
  "SELECT fact.revision, fact.id, tag, kind, issuer, target, issued_until, end_time," \
  " fact.create_time, fact.actor, fact.reason, suspends, taken.revision, taken.id,"   \
  " taken.create_time, taken.actor, taken.reason"                                     \
  " FROM fact LEFT JOIN reinstatement AS taken ON taken.fact = fact.revision"
#define GH_NOT_TAKEN_BACK \
  " NOT EXISTS (SELECT 1 FROM reinstatement WHERE reinstatement.fact = fact.revision)"
#define GH_OF_TAG " FROM fact INDEXED BY fact_by_tag WHERE tag = ?1 AND "
#define GH_BY_END "SELECT tag, end_time, revision, suspends FROM fact INDEXED BY fact_by_end WHERE "
#define GH_ENDED                                                                         \
  "(SELECT revision FROM fact WHERE end_time <= ?1 AND (suspends = 0 OR end_time <= ?3)" \
  " ORDER BY end_time, revision LIMIT ?2)"

// `issued_until` of every suspension.
constexpr char kSuspension[] = "suspends = 1 AND issued_until = 9223372036854775807";

constexpr char kPage[] = GH_FACTS
    " WHERE fact.revision >= ?1 AND fact.revision < ?2"
    " AND (?3 = 0 OR kind = ?3) AND (?4 = '' OR issuer = ?4) AND (?5 = '' OR fact.actor = ?5)"
    " AND fact.create_time >= ?6 AND fact.create_time < ?7"
    " AND (?8 OR (taken.revision IS NULL"
    " AND end_time > CASE suspends WHEN 0 THEN ?9 ELSE ?10 END))"
    " ORDER BY fact.revision DESC";

// Throws on what this program never wrote.
Tag ReadTag(const SQLite::Column& column) {
  Tag tag;
  if (column.getBytes() != static_cast<int>(tag.bytes.size())) {
    throw SQLite::Exception("a tag is none", SQLITE_CORRUPT);
  }
  std::memcpy(tag.bytes.data(), column.getBlob(), tag.bytes.size());
  return tag;
}

Fact ReadFact(SQLite::Statement& row) {
  Fact fact;
  fact.revision = row.getColumn(0).getInt64();
  fact.id = row.getColumn(1).getString();
  fact.tag = ReadTag(row.getColumn(2));
  const int64_t kind = row.getColumn(3).getInt64();
  if (kind < 1 || kind > 7) {
    throw SQLite::Exception(absl::StrCat("row ", fact.revision, " is no revocation"),
                            SQLITE_CORRUPT);
  }
  fact.kind = static_cast<TagKind>(kind);
  fact.issuer = row.getColumn(4).getString();
  fact.target = row.getColumn(5).getString();
  fact.issued_until = row.getColumn(6).getInt64();
  fact.end_time = TimeOfMicros(row.getColumn(7).getInt64());
  fact.create_time = TimeOfMicros(row.getColumn(8).getInt64());
  fact.actor = row.getColumn(9).getString();
  fact.reason = row.getColumn(10).getString();
  fact.suspends = row.getColumn(11).getInt() != 0;
  if (row.getColumn(12).isNull()) return fact;
  fact.reinstated = {.id = row.getColumn(13).getString(),
                     .create_time = TimeOfMicros(row.getColumn(14).getInt64()),
                     .revision = row.getColumn(12).getInt64(),
                     .actor = row.getColumn(15).getString(),
                     .reason = row.getColumn(16).getString()};
  return fact;
}

void BindTag(SQLite::Statement& statement, int index, const Tag& tag) {
  statement.bindNoCopy(index, tag.bytes.data(), static_cast<int>(tag.bytes.size()));
}

int64_t OneNumber(SQLite::Statement& statement) {
  const SqliteUse use(statement);
  if (!statement.executeStep()) throw SQLite::Exception("a row is missing", SQLITE_CORRUPT);
  return statement.getColumn(0).getInt64();
}

template <typename Value>
void SetOne(SQLite::Statement& statement, const Value& value) {
  const SqliteUse use(statement);
  statement.bind(1, value);
  statement.exec();
}

constexpr int64_t kMicrosPerDay = int64_t{24} * 3600 * 1'000'000;
// As long as a token lives at most, unless much is configured.
constexpr int64_t kSuspensionsMargin = 30 * kMicrosPerDay;

}  // namespace

int64_t SqliteFacts::CleanedSuspensionsUntil(int64_t cleaned_until) {
  constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
  return cleaned_until < kFirst + kSuspensionsMargin ? kFirst : cleaned_until - kSuspensionsMargin;
}

SqliteFacts::SqliteFacts(SQLite::Database& db)
    : store_id_(db, "SELECT store_id FROM store"),
      set_store_id_(db, "UPDATE store SET store_id = ?"),
      revision_(db, "SELECT value FROM revision"),
      set_revision_(db, "UPDATE revision SET value = ?"),
      cleaned_until_(db, "SELECT cleaned_until FROM store"),
      set_cleaned_until_(db, "UPDATE store SET cleaned_until = ?"),
      lasting_(db, "SELECT fact.id" GH_OF_TAG
                   "suspends = 0 AND issued_until >= ?2 AND end_time >= ?3 AND end_time > ?4"
                   " AND" GH_NOT_TAKEN_BACK " LIMIT 1"),
      suspension_(db, absl::StrCat("SELECT fact.id" GH_OF_TAG, kSuspension,
                                   " AND end_time >= ?2 AND end_time > ?3 AND" GH_NOT_TAKEN_BACK
                                   " LIMIT 1")),
      find_(db, GH_FACTS " WHERE fact.id = ?"),
      marks_(db, absl::StrCat("SELECT (SELECT issued_until" GH_OF_TAG
                              "suspends = 0 AND end_time > ?2 AND" GH_NOT_TAKEN_BACK
                              " ORDER BY issued_until DESC LIMIT 1), (SELECT end_time" GH_OF_TAG,
                              kSuspension,
                              " AND end_time > ?3 AND" GH_NOT_TAKEN_BACK
                              " ORDER BY end_time DESC LIMIT 1)")),
      insert_(db,
              "INSERT INTO fact (revision, id, tag, kind, issuer, target, issued_until,"
              " end_time, create_time, actor, reason, suspends)"
              " VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"),
      reinstate_(db,
                 "INSERT INTO reinstatement (revision, id, fact, actor, reason, create_time)"
                 " VALUES (?,?,?,?,?,?)"),
      page_(db, kPage),
      // In two, since SQLite goes through all facts of one end to compare both at once.
      ended_(db, GH_BY_END
             "end_time = ?1 AND end_time <= ?3 AND revision > ?2"
             " UNION ALL " GH_BY_END
             "end_time > ?1 AND end_time <= ?3"
             " ORDER BY end_time, revision LIMIT ?4"),
      has_ended_(db, "SELECT EXISTS " GH_ENDED),
      delete_reinstatements_(db, "DELETE FROM reinstatement WHERE fact IN " GH_ENDED),
      delete_facts_(db, "DELETE FROM fact WHERE revision IN " GH_ENDED),
      session_(db, absl::StrCat(GH_FACTS " WHERE tag = ?1 AND suspends = 0 AND kind = ",
                                static_cast<int>(TagKind::kSession),
                                " AND end_time > ?2 AND taken.revision IS NULL"
                                " ORDER BY end_time DESC LIMIT 1")) {}

std::string SqliteFacts::StoreId() {
  const SqliteUse use(store_id_);
  if (!store_id_.executeStep()) throw SQLite::Exception("no store id", SQLITE_CORRUPT);
  return store_id_.getColumn(0).getString();
}
void SqliteFacts::SetStoreId(const std::string& id) { SetOne(set_store_id_, id); }

int64_t SqliteFacts::Revision() { return OneNumber(revision_); }
void SqliteFacts::SetRevision(int64_t revision) { SetOne(set_revision_, revision); }

int64_t SqliteFacts::CleanedUntil() { return OneNumber(cleaned_until_); }
void SqliteFacts::SetCleanedUntil(int64_t cleaned_until) {
  SetOne(set_cleaned_until_, cleaned_until);
}

std::optional<Fact> SqliteFacts::One(SQLite::Statement& statement) {
  const SqliteUse use(statement);
  if (!statement.executeStep()) return std::nullopt;
  return ReadFact(statement);
}

std::optional<Fact> SqliteFacts::Find(const std::string& id) {
  find_.bind(1, id);
  return One(find_);
}

std::optional<Fact> SqliteFacts::Containing(const NewFact& wanted, int64_t cleaned_until) {
  const int64_t end_time = MicrosOfEnd(wanted.end_time);
  {
    // One that covers all contains a suspension too.
    SqliteUse lasting(lasting_);
    BindTag(lasting_, 1, wanted.tag);
    lasting->bind(2, wanted.issued_until);
    lasting->bind(3, end_time);
    lasting->bind(4, cleaned_until);
    if (lasting->executeStep()) return Find(lasting->getColumn(0).getString());
  }
  if (!wanted.suspends) return std::nullopt;
  SqliteUse suspension(suspension_);
  BindTag(suspension_, 1, wanted.tag);
  suspension->bind(2, end_time);
  suspension->bind(3, CleanedSuspensionsUntil(cleaned_until));
  if (suspension->executeStep()) return Find(suspension->getColumn(0).getString());
  return std::nullopt;
}

Marks SqliteFacts::MarksOn(const Tag& tag, int64_t cleaned_until) {
  SqliteUse use(marks_);
  BindTag(marks_, 1, tag);
  use->bind(2, cleaned_until);
  use->bind(3, CleanedSuspensionsUntil(cleaned_until));
  if (!use->executeStep()) throw SQLite::Exception("no marks", SQLITE_INTERNAL);
  Marks marks;
  if (!use->getColumn(0).isNull()) {
    marks = MarksOf(NewFact{.issued_until = use->getColumn(0).getInt64()});
  }
  if (!use->getColumn(1).isNull()) {
    marks = marks | MarksOf(NewFact{.suspends = true,
                                    .end_time = TimeOfMicros(use->getColumn(1).getInt64())});
  }
  return marks;
}

void SqliteFacts::Insert(const Fact& fact) {
  SqliteUse insert(insert_);
  insert->bind(1, fact.revision);
  insert->bindNoCopy(2, fact.id);
  BindTag(insert_, 3, fact.tag);
  insert->bind(4, static_cast<int>(fact.kind));
  insert->bindNoCopy(5, fact.issuer);
  insert->bindNoCopy(6, fact.target);
  insert->bind(7, fact.issued_until);
  insert->bind(8, MicrosOfEnd(fact.end_time));
  insert->bind(9, absl::ToUnixMicros(fact.create_time));
  insert->bindNoCopy(10, fact.actor);
  insert->bindNoCopy(11, fact.reason);
  insert->bind(12, fact.suspends ? 1 : 0);
  insert->exec();
}

void SqliteFacts::InsertReinstatement(int64_t fact, const Reinstatement& reinstatement) {
  SqliteUse insert(reinstate_);
  insert->bind(1, reinstatement.revision);
  insert->bindNoCopy(2, reinstatement.id);
  insert->bind(3, fact);
  insert->bindNoCopy(4, reinstatement.actor);
  insert->bindNoCopy(5, reinstatement.reason);
  insert->bind(6, absl::ToUnixMicros(reinstatement.create_time));
  insert->exec();
}

void SqliteFacts::Page(const ListQuery& query, const Slice& slice,
                       const std::function<bool(Fact)>& take) {
  SqliteUse page(page_);
  page->bind(1, slice.from);
  page->bind(2, slice.before);
  page->bind(3, query.kind ? static_cast<int>(*query.kind) : 0);
  page->bindNoCopy(4, query.issuer);
  page->bindNoCopy(5, query.actor);
  page->bind(6, MicrosOfEnd(query.created_from));
  page->bind(7, MicrosOfEnd(query.created_before));
  page->bind(8, query.with_past ? 1 : 0);
  page->bind(9, slice.cleaned_until);
  page->bind(10, slice.now);
  while (page->executeStep() && take(ReadFact(page_))) continue;
}

SqliteFacts::Ended SqliteFacts::EndedBehind(const Place& after, int64_t until, int limit) {
  SqliteUse ended(ended_);
  ended->bind(1, after.end_time);
  ended->bind(2, after.revision);
  ended->bind(3, until);
  ended->bind(4, limit);
  Ended result{.last = after};
  while (ended->executeStep()) {
    result.tags.push_back(ReadTag(ended->getColumn(0)));
    result.suspensions += ended->getColumn(3).getInt() != 0 ? 1 : 0;
    result.last = {.end_time = ended->getColumn(1).getInt64(),
                   .revision = ended->getColumn(2).getInt64()};
  }
  return result;
}

bool SqliteFacts::HasEnded(int64_t until, int64_t suspensions_until) {
  const SqliteUse use(has_ended_);
  has_ended_.bind(1, until);
  has_ended_.bind(2, 1);
  has_ended_.bind(3, suspensions_until);
  return has_ended_.executeStep() && has_ended_.getColumn(0).getInt() != 0;
}

int SqliteFacts::DeleteEnded(int64_t until, int64_t suspensions_until, int limit) {
  int deleted = 0;
  // In this order: the second statement finds the facts of the first by the same rule.
  for (SQLite::Statement* const statement : {&delete_reinstatements_, &delete_facts_}) {
    SqliteUse use(*statement);
    use->bind(1, until);
    use->bind(2, limit);
    use->bind(3, suspensions_until);
    deleted = use->exec();
  }
  return deleted;
}

std::optional<Fact> SqliteFacts::LastOfSession(const Tag& tag, int64_t cleaned_until) {
  BindTag(session_, 1, tag);
  session_.bind(2, cleaned_until);
  return One(session_);
}

}  // namespace gatehouse::revocation
