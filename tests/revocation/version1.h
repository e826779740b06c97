#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/revocation/revocation.h"
#include "tests/revocation/store_testing.h"

namespace gatehouse::revocation {

inline constexpr char kVersion1Tables[] = R"(
BEGIN IMMEDIATE;
PRAGMA application_id = 0x47617465;
PRAGMA user_version = 1;
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
INSERT INTO store (one, store_id) VALUES (1, '0123456789abcdef0123456789abcdef');
COMMIT;
PRAGMA journal_mode = WAL;
)";

// A database of schema version 1 with some facts, as version 1 left it when it was closed.
inline std::vector<Fact> CreateVersion1(const std::string& path, int count) {
  SQLite::Database db(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  db.exec(kVersion1Tables);
  std::vector<Fact> facts;
  facts.reserve(static_cast<size_t>(count));
  db.exec("BEGIN");
  for (int i = 1; i <= count; ++i) {
    Fact fact{SubjectFact(absl::StrCat("u", i), 1000 + i), std::string(32, '0'), kStart, i};
    fact.id.replace(0, 4, absl::StrCat(1000 + i));
    SQLite::Statement insert(db, "INSERT INTO fact VALUES (?,?,?,?,?,?,?,?,?,?,?)");
    insert.bind(1, fact.revision);
    insert.bind(2, fact.id);
    insert.bind(3, fact.tag.bytes.data(), static_cast<int>(fact.tag.bytes.size()));
    insert.bind(4, static_cast<int>(fact.kind));
    insert.bind(5, fact.issuer);
    insert.bind(6, fact.target);
    insert.bind(7, fact.issued_until);
    insert.bind(8, absl::ToUnixMicros(fact.end_time));
    insert.bind(9, absl::ToUnixMicros(fact.create_time));
    insert.bind(10, fact.actor);
    insert.bind(11, fact.reason);
    insert.exec();
    facts.push_back(std::move(fact));
  }
  db.exec(absl::StrCat("UPDATE revision SET value = ", count));
  db.exec("COMMIT");
  return facts;
}

}  // namespace gatehouse::revocation
