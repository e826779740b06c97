// Databases of schema version 1, brought up to date when they are opened or put back.

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/revocation/sqlite_store.h"
#include "tests/revocation/child.h"
#include "tests/revocation/faulty_vfs.h"
#include "tests/revocation/store_conformance.h"
#include "tests/revocation/store_testing.h"
#include "tests/revocation/temp_folder.h"
#include "tests/support/fake_clock.h"

namespace gatehouse::revocation {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// As version 1 made it.
constexpr char kVersion1[] = R"(
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

class SqliteMigration : public testing::Test {
 protected:
  void Create(int count) {
    SQLite::Database db(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    db.exec(kVersion1);
    facts_.clear();
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
      facts_.push_back(std::move(fact));
    }
    db.exec(absl::StrCat("UPDATE revision SET value = ", count));
  }
  absl::StatusOr<std::unique_ptr<RevocationStore>> Open() {
    listener_ = std::make_unique<RecordingListener>();
    return OpenSqliteStore({.path = path_}, clock_, *listener_);
  }
  void ExpectAllIn(RevocationStore& store) {
    const std::vector<Fact> kept = AllFacts(store);
    ASSERT_EQ(kept.size(), facts_.size());
    for (size_t i = 0; i < kept.size(); ++i) EXPECT_TRUE(SameFact(kept[i], facts_[i])) << i;
    EXPECT_EQ(listener_->tags(), facts_.size());
    for (const Fact& fact : facts_) EXPECT_EQ(listener_->On(fact.tag), MarksOf(fact));
  }
  static std::string Ask(const std::string& path, const std::string& sql) {
    Child shell({"sqlite3", path, sql});
    std::string line;
    EXPECT_TRUE(shell.ReadLine(line));
    return line;
  }

  TempFolder folder_;
  std::string path_ = folder_.File("gatehouse.db");
  FakeClock clock_{kStart};
  std::vector<Fact> facts_;
  std::unique_ptr<RecordingListener> listener_;
};

TEST_F(SqliteMigration, KeepsWhatItHoldsAndTakesWhatIsNew) {
  Create(100);
  {
    const auto store = Open();
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ((*store)->store_id(), "0123456789abcdef0123456789abcdef");
    EXPECT_EQ(listener_->revision(), 100);
    EXPECT_EQ(listener_->cleaned_until(), absl::InfinitePast());
    ExpectAllIn(**store);
    const auto taken = ReinstateAndWait(**store, facts_[7].id);
    ASSERT_TRUE(taken.ok()) << taken.status();
    EXPECT_EQ(taken->revision, 101);
    facts_[7] = taken->fact;
    const auto suspension = AppendAndWait(**store, Suspension("u8", kStart + absl::Hours(1)));
    ASSERT_TRUE(suspension.ok()) << suspension.status();
    facts_.push_back(suspension->fact);
  }
  EXPECT_EQ(Ask(path_, "PRAGMA user_version"), "2");
  const auto store = Open();
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(listener_->revision(), 102);
  const std::vector<Fact> kept = AllFacts(**store);
  ASSERT_EQ(kept.size(), 101);
  for (size_t i = 0; i < kept.size(); ++i) EXPECT_TRUE(SameFact(kept[i], facts_[i])) << i;
}

TEST_F(SqliteMigration, LeadsToTheSchemaOfANewDatabase) {
  Create(1);
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(CreateSqliteDatabase(folder_.File("new.db")).ok());
  const char sql[] =
      "SELECT hex(group_concat(name || ':' || coalesce(sql, ''))) FROM"
      " (SELECT name, sql FROM sqlite_schema ORDER BY name)";
  EXPECT_EQ(Ask(path_, sql), Ask(folder_.File("new.db"), sql));
}

TEST_F(SqliteMigration, AMarkedOneNeedsItsWalFileAndTheMessageNamesItsOwnVersion) {
  Create(3);
  {
    SQLite::Database(path_, SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 65537");
  }
  const auto before = folder_.Contents();
  EXPECT_THAT(std::string(Open().status().message()), HasSubstr("'PRAGMA user_version = 1'"));
  EXPECT_TRUE(folder_.Contents() == before);
  TempFolder::WriteFile(path_ + "-wal", "");
  const auto store = Open();
  ASSERT_TRUE(store.ok()) << store.status();
  ExpectAllIn(**store);
}

TEST_F(SqliteMigration, ADamagedOneIsRefusedAndLeftAsItIs) {
  for (const char* sql : {"UPDATE revision SET value = 2", "DELETE FROM store",
                          "DELETE FROM revision", "DROP TABLE fact"}) {
    std::filesystem::remove(path_);
    Create(3);
    {
      SQLite::Database(path_, SQLite::OPEN_READWRITE).exec(sql);
    }
    const auto before = folder_.Contents();
    const auto store = Open();
    EXPECT_THAT(std::string(store.status().message()), HasSubstr("is damaged")) << sql;
    EXPECT_TRUE(folder_.Contents() == before) << sql;
    EXPECT_EQ(listener_->calls(), 0);
  }
}

TEST_F(SqliteMigration, WhicheverWriteOrSyncOfItFailsVersion1IsIntact) {
  for (const bool writes : {true, false}) {
    int refused = 0;
    for (int good = 0;; ++good) {
      ASSERT_LT(good, 100);
      std::filesystem::remove(path_);
      Create(300);
      bool opened = false;
      {
        FaultyVfs disk;
        if (writes) {
          disk.FailWrites(SQLITE_FULL, good);
        } else {
          disk.FailSyncs(SQLITE_IOERR_FSYNC, good);
        }
        const auto store = Open();
        opened = store.ok();
        if (opened) {
          ExpectAllIn(**store);
        } else {
          EXPECT_THAT(std::string(store.status().message()),
                      AllOf(HasSubstr("cannot be brought up to schema version 2"),
                            HasSubstr("left as it was")));
          EXPECT_EQ(listener_->calls(), 0);
        }
        disk.FailWrites(SQLITE_OK);
        disk.FailSyncs(SQLITE_OK);
      }
      if (opened) break;
      ++refused;
      EXPECT_EQ(Ask(path_, "PRAGMA user_version"), "1");
      EXPECT_EQ(Ask(path_, "PRAGMA integrity_check"), "ok");
      EXPECT_EQ(Ask(path_, "SELECT count(*) FROM pragma_table_info('fact')"), "11");
      const auto store = Open();
      ASSERT_TRUE(store.ok()) << store.status();
      ExpectAllIn(**store);
    }
    EXPECT_GT(refused, 0);
  }
}

TEST_F(SqliteMigration, ABackupOfVersion1IsPutBackAsANewDatabase) {
  Create(100);
  const std::string bytes = TempFolder::ReadFile(path_);
  RestoreReport report;
  const absl::Status status = RestoreSqliteDatabase(path_, folder_.File("restored.db"), report);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(report.revision, 100);
  EXPECT_EQ(report.facts, 100);
  EXPECT_EQ(report.newest, kStart);
  EXPECT_TRUE(TempFolder::ReadFile(path_) == bytes);
  path_ = folder_.File("restored.db");
  EXPECT_EQ(Ask(path_, "PRAGMA user_version"), "2");
  const auto store = Open();
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_NE((*store)->store_id(), "0123456789abcdef0123456789abcdef");
  ExpectAllIn(**store);
}

}  // namespace
}  // namespace gatehouse::revocation
