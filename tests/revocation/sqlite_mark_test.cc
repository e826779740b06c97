// The mark of an open database, and the -wal file that it asks for.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/revocation/sqlite_store.h"
#include "tests/revocation/child.h"
#include "tests/revocation/faulty_vfs.h"
#include "tests/revocation/store_testing.h"
#include "tests/revocation/temp_folder.h"
#include "tests/support/fake_clock.h"

namespace gatehouse::revocation {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class SqliteMark : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(CreateSqliteDatabase(path_).ok()); }

  absl::StatusOr<std::unique_ptr<RevocationStore>> Open(const std::string& path) {
    listener_ = std::make_unique<RecordingListener>();
    return OpenSqliteStore({.path = path}, clock_, *listener_);
  }
  // How many facts it opens with; -1 if it is refused. Closed again.
  int FactsOf(const std::string& path) {
    const auto store = Open(path);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? static_cast<int>(listener_->tags()) : -1;
  }
  void Append(RevocationStore& store, int count) {
    for (int i = 0; i < count; ++i) {
      const auto result = AppendAndWait(store, SubjectFact(absl::StrCat("u", ++subjects_)));
      ASSERT_TRUE(result.ok()) << result.status();
    }
  }
  // Another process that acknowledges at least `count` facts, or only opens the file,
  // and is killed. How many it acknowledged.
  int RevokeAndKill(int count) const {
    Child revoker({GATEHOUSE_REVOKER, path_, count == 0 ? "0" : "2"});
    std::string line;
    EXPECT_TRUE(revoker.ReadLine(line));
    EXPECT_THAT(line, testing::StartsWith("open "));
    int seen = 0;
    while (seen < count && revoker.ReadLine(line)) ++seen;
    revoker.Kill();
    while (revoker.ReadLine(line)) ++seen;
    EXPECT_EQ(revoker.Wait(), -1) << "it ended by itself";
    return seen;
  }
  void ExpectRefusedForItsWal(const std::string& path) {
    const auto before = folder_.Contents();
    const auto store = Open(path);
    EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition) << store.status();
    EXPECT_THAT(std::string(store.status().message()),
                AllOf(HasSubstr(path + " was not closed cleanly"), HasSubstr(path + "-wal"),
                      HasSubstr("acknowledged revocations"), HasSubstr("back"),
                      HasSubstr("`sqlite3 " + path + " 'PRAGMA user_version = 2'`")));
    EXPECT_TRUE(folder_.Contents() == before) << "the folder was changed";
    EXPECT_EQ(listener_->told(), 0);
  }
  static void RunShell(const std::string& path, const std::string& sql) {
    Child shell({"sqlite3", path, sql});
    ASSERT_EQ(shell.Wait(), 0);
  }
  // The header's user_version, as it stands in the file itself.
  static std::string VersionIn(const std::string& path) {
    return TempFolder::ReadFile(path).substr(60, 4);
  }
  void FailWritesAndSyncs(FaultyVfs& disk, bool writes, int good) {
    if (writes) {
      disk.FailWrites(SQLITE_FULL, good);
    } else {
      disk.FailSyncs(SQLITE_IOERR_FSYNC, good);
    }
  }

  const std::string closed_ = std::string("\0\0\0\2", 4);
  const std::string marked_ = std::string("\0\1\0\2", 4);
  TempFolder folder_;
  std::string path_ = folder_.File("gatehouse.db");
  std::string wal_ = path_ + "-wal";
  FakeClock clock_{kStart};
  std::unique_ptr<RecordingListener> listener_;
  int subjects_ = 0;
};

TEST_F(SqliteMark, AfterAKillTheDatabaseIsRefusedWithoutItsWalFile) {
  const int acknowledged = RevokeAndKill(20);
  EXPECT_EQ(VersionIn(path_), marked_);
  ASSERT_GT(std::filesystem::file_size(wal_), 0);
  std::filesystem::rename(wal_, folder_.File("aside"));
  for (int i = 0; i < 2; ++i) ExpectRefusedForItsWal(path_);
  std::filesystem::rename(folder_.File("aside"), wal_);
  EXPECT_GE(FactsOf(path_), acknowledged);
}

TEST_F(SqliteMark, AfterAKillItOpensWithItsWalFileAndWithoutItOnceClosedCleanly) {
  const int acknowledged = RevokeAndKill(20);
  const int facts = FactsOf(path_);
  EXPECT_GE(facts, acknowledged);
  EXPECT_EQ(folder_.Contents().size(), 1);
  EXPECT_EQ(FactsOf(path_), facts);
}

TEST_F(SqliteMark, ACleanCloseLeavesNeitherMarkNorWalFile) {
  {
    const auto store = Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ(VersionIn(path_), marked_);
    EXPECT_TRUE(std::filesystem::exists(wal_));
    Append(**store, 3);
  }
  EXPECT_EQ(VersionIn(path_), closed_);
  EXPECT_FALSE(std::filesystem::exists(wal_));
  EXPECT_EQ(folder_.Contents().size(), 1);
  EXPECT_EQ(FactsOf(path_), 3);
}

TEST_F(SqliteMark, ACopyOfOnlyTheDatabaseFileOfARunningStoreIsRefused) {
  const auto store = Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  Append(**store, 3);
  const std::string copy = folder_.File("copy.db");
  // The file itself must not be opened and closed here: that would drop its locks.
  ASSERT_EQ(Child({"cp", path_, copy}).Wait(), 0);
  ExpectRefusedForItsWal(copy);
  ASSERT_EQ(Child({"cp", wal_, copy + "-wal"}).Wait(), 0);
  EXPECT_EQ(FactsOf(copy), 3);
}

TEST_F(SqliteMark, TheWalFileIsLookedForBesideWhatALinkPointsTo) {
  RevokeAndKill(1);
  std::filesystem::create_directory(folder_.File("links"));
  const std::string link = folder_.File("links/gatehouse.db");
  std::filesystem::create_symlink(path_, link);
  TempFolder::WriteFile(link + "-wal", "");
  std::filesystem::rename(wal_, folder_.File("aside"));
  EXPECT_THAT(std::string(Open(link).status().message()), HasSubstr(wal_ + " is not there"));
  std::filesystem::rename(folder_.File("aside"), wal_);
  EXPECT_GE(FactsOf(link), 1);
}

TEST_F(SqliteMark, AKillRightAfterOpeningLosesNothing) {
  {
    const auto store = Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    Append(**store, 3);
  }
  for (int i = 0; i < 2; ++i) {
    RevokeAndKill(0);
    EXPECT_EQ(VersionIn(path_), marked_);
    EXPECT_EQ(std::filesystem::file_size(wal_), 0);
  }
  EXPECT_EQ(FactsOf(path_), 3);
  RevokeAndKill(0);
  std::filesystem::remove(wal_);
  ExpectRefusedForItsWal(path_);
}

TEST_F(SqliteMark, AnEmptyWalFileSurvivesARefusalForAnotherReason) {
  RevokeAndKill(0);
  std::string bytes = TempFolder::ReadFile(path_);
  const std::string good = bytes;
  for (size_t i = 4096; i < bytes.size(); ++i) bytes[i] ^= 0x5a;
  TempFolder::WriteFile(path_, bytes);
  const auto before = folder_.Contents();
  EXPECT_THAT(std::string(Open(path_).status().message()), HasSubstr("is damaged"));
  EXPECT_TRUE(folder_.Contents() == before);
  TempFolder::WriteFile(path_, good);
  EXPECT_EQ(FactsOf(path_), 0);
}

TEST_F(SqliteMark, TheCommandOfTheMessageAcceptsTheLoss) {
  {
    const auto store = Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    Append(**store, 3);
  }
  RevokeAndKill(20);
  std::filesystem::remove(wal_);
  ExpectRefusedForItsWal(path_);
  RunShell(path_, "PRAGMA user_version = 2");
  EXPECT_EQ(FactsOf(path_), 3);
}

TEST_F(SqliteMark, WhatAnUnmarkedDatabasesWalFileHoldsIsMovedIntoTheFile) {
  RevokeAndKill(20);
  // As a program without the mark left it.
  std::string bytes = TempFolder::ReadFile(path_);
  TempFolder::WriteFile(path_, bytes.replace(60, 4, closed_));
  const auto store = Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ(std::filesystem::file_size(wal_), 0);
  ASSERT_EQ(Child({"cp", path_, folder_.File("copy.db")}).Wait(), 0);
  EXPECT_EQ(VersionIn(folder_.File("copy.db")), marked_);
  RunShell(folder_.File("copy.db"), "PRAGMA user_version = 2");
  const size_t facts = listener_->tags();
  EXPECT_GE(facts, 20);
  EXPECT_EQ(FactsOf(folder_.File("copy.db")), static_cast<int>(facts));
}

TEST_F(SqliteMark, AMarkOfALaterProgramAndAMarkedNewerSchemaAreRefused) {
  for (const auto& [version, shown] : {std::pair{65539, "schema version 3"},
                                       {327681, "schema version 262145"},
                                       {65536, "schema version 0"}}) {
    RunShell(path_, absl::StrCat("PRAGMA user_version = ", version));
    const auto before = folder_.Contents();
    const auto store = Open(path_);
    EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(store.status().message()), HasSubstr(shown));
    EXPECT_TRUE(folder_.Contents() == before);
  }
}

// What cannot be marked is still read; nothing is acknowledged until it is marked.
TEST_F(SqliteMark, WhicheverWriteOrSyncOfAnOpeningFailsWhatIsKnownIsUsedAndNothingIsLost) {
  for (const bool writes : {true, false}) {
    int refused = 0;
    for (int good = 0; good < 8; ++good) {
      FaultyVfs disk;
      FailWritesAndSyncs(disk, writes, good);
      {
        const auto store = Open(path_);
        ASSERT_TRUE(store.ok()) << store.status();
        EXPECT_EQ(static_cast<int>(listener_->tags()), subjects_);
        const auto result =
            AppendAndWait(**store, SubjectFact(absl::StrCat("w", writes ? 1 : 0, good)));
        if (result.ok()) {
          ++subjects_;
          EXPECT_EQ(VersionIn(path_), marked_);
        } else {
          ++refused;
          EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
        }
        disk.FailWrites(SQLITE_OK);
        disk.FailSyncs(SQLITE_OK);
        Append(**store, 1);
        EXPECT_EQ(VersionIn(path_), marked_);
      }
      EXPECT_EQ(VersionIn(path_), closed_);
    }
    EXPECT_GT(refused, 1);
    EXPECT_EQ(FactsOf(path_), subjects_);
  }
}

TEST_F(SqliteMark, WhicheverWriteOrSyncOfACloseFailsTheFileIsMarkedOrComplete) {
  const std::string copy = folder_.File("copy.db");
  for (const bool writes : {true, false}) {
    int marked = 0;
    int complete = 0;
    while (complete == 0 || std::filesystem::exists(wal_)) {
      ASSERT_LT(marked + complete, 100) << "a close took that many";
      {
        FaultyVfs disk;
        auto store = Open(path_);
        ASSERT_TRUE(store.ok()) << store.status();
        EXPECT_EQ(static_cast<int>(listener_->tags()), subjects_);
        // Several pages in the -wal file.
        Append(**store, 30);
        FailWritesAndSyncs(disk, writes, marked + complete);
        store->reset();
      }
      std::filesystem::copy_file(path_, copy, std::filesystem::copy_options::overwrite_existing);
      if (VersionIn(copy) == marked_) {
        ++marked;
        ASSERT_TRUE(std::filesystem::exists(wal_));
        ExpectRefusedForItsWal(copy);
      } else {
        ++complete;
        EXPECT_EQ(FactsOf(copy), subjects_) << "after " << marked << " good ones";
      }
    }
    EXPECT_GT(marked, 1);
  }
}

TEST_F(SqliteMark, AMovedDatabaseStaysMarkedAndItsWalFileStaysWhereItIs) {
  auto store = Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  Append(**store, 3);
  std::filesystem::rename(path_, folder_.File("moved.db"));
  store->reset();
  EXPECT_EQ(VersionIn(folder_.File("moved.db")), marked_);
  EXPECT_TRUE(std::filesystem::exists(wal_));
  ExpectRefusedForItsWal(folder_.File("moved.db"));
  std::filesystem::rename(folder_.File("moved.db"), path_);
  EXPECT_EQ(FactsOf(path_), 3);
}

}  // namespace
}  // namespace gatehouse::revocation
