// Backups of a SQLite store in use, and putting them back.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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

class SqliteBackup : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(CreateSqliteDatabase(path_).ok());
    store_ = Open(path_, listener_);
    ASSERT_NE(store_, nullptr);
  }

  std::unique_ptr<RevocationStore> Open(const std::string& path, RevocationListener& listener) {
    auto store = OpenSqliteStore({.path = path}, clock_, listener);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  void Append(int count) {
    for (int i = 0; i < count; ++i) {
      store_->Append(SubjectFact(absl::StrCat("u", ++subjects_)), [](const auto&) {});
    }
    ASSERT_TRUE(AppendAndWait(*store_, SubjectFact(absl::StrCat("u", ++subjects_))).ok());
  }
  // What a backup holds, put back.
  std::vector<Fact> FactsIn(const std::string& backup) {
    const TempFolder folder;
    RestoreReport report;
    const absl::Status status = RestoreSqliteDatabase(backup, folder.File("db"), report);
    EXPECT_TRUE(status.ok()) << status;
    RecordingListener listener;
    const auto store = Open(folder.File("db"), listener);
    return store ? AllFacts(*store) : std::vector<Fact>();
  }
  void ExpectSame(const std::vector<Fact>& a, const std::vector<Fact>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(SameFact(a[i], b[i])) << i;
  }

  TempFolder folder_;
  TempFolder elsewhere_;
  std::string path_ = folder_.File("gatehouse.db");
  std::string backup_ = elsewhere_.File("backup.db");
  std::string restored_ = elsewhere_.File("restored.db");
  FakeClock clock_{kStart};
  RecordingListener listener_;
  std::unique_ptr<RevocationStore> store_;
  int subjects_ = 0;
};

TEST_F(SqliteBackup, IsOneCleanFileWithAllThatWasThere) {
  Append(2000);
  const std::vector<Fact> facts = AllFacts(*store_);
  ASSERT_TRUE(ReinstateAndWait(*store_, facts[5].id).ok());
  const auto result = BackUpAndWait(*store_, backup_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->revision, 2002);
  struct stat info;
  ASSERT_EQ(stat(backup_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600);
  EXPECT_EQ(result->bytes, info.st_size);
  EXPECT_EQ(elsewhere_.Contents().size(), 1);
  const std::string bytes = TempFolder::ReadFile(backup_);
  EXPECT_EQ(bytes.substr(18, 2), "\x02\x02");
  EXPECT_EQ(bytes.substr(60, 4), std::string("\0\2\0\2", 4)) << "the mark of a backup";
  ExpectSame(FactsIn(backup_), AllFacts(*store_));
  Append(1);
}

TEST_F(SqliteBackup, ReplacesNothing) {
  for (const char* suffix : {"", "-wal", "-journal", "-shm"}) {
    TempFolder folder;
    TempFolder::WriteFile(folder.File("db") + suffix, "precious");
    const auto result = BackUpAndWait(*store_, folder.File("db"));
    EXPECT_EQ(result.status().code(), absl::StatusCode::kAlreadyExists) << result.status();
    EXPECT_EQ(folder.Contents().size(), 1);
    EXPECT_EQ(TempFolder::ReadFile(folder.File("db") + suffix), "precious");
  }
  EXPECT_EQ(BackUpAndWait(*store_, path_).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(BackUpAndWait(*store_, "").ok());
  Append(1);
}

TEST_F(SqliteBackup, AFolderThatIsMissingOrTakesNothingIsNamed) {
  const std::string missing = elsewhere_.File("no/such");
  for (const auto& [folder, how] : {std::pair<std::string, std::string>{missing, "does not exist"},
                                    {"/proc", "takes no file"}}) {
    const absl::Status status = BackUpAndWait(*store_, folder + "/db").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("the folder for backups ", folder, " ", how)));
  }
  Append(1);
}

TEST_F(SqliteBackup, GoesOnWhileFactsAreAppendedAndHoldsEveryOneUpToItsRevision) {
  Append(10000);
  std::atomic<bool> stop = false;
  std::atomic<int> appended = 0;
  std::thread appender([&] {
    for (int i = 0; !stop; ++i) {
      if (AppendAndWait(*store_, SubjectFact(absl::StrCat("new", i))).ok()) ++appended;
    }
  });
  const int64_t before = listener_.revision();
  const auto result = BackUpAndWait(*store_, backup_);
  const int64_t after = listener_.revision();
  stop = true;
  appender.join();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(appended, 1);
  EXPECT_GE(result->revision, before);
  EXPECT_LE(result->revision, after);
  const std::vector<Fact> facts = FactsIn(backup_);
  ASSERT_EQ(facts.size(), static_cast<size_t>(result->revision));
  EXPECT_EQ(facts.back().revision, result->revision);
}

TEST_F(SqliteBackup, OnlyOneIsMadeAtATime) {
  Gate gate;
  listener_.HoldAt(&gate);
  store_->Append(SubjectFact("busy"), [](const auto&) {});
  gate.AwaitSomebody();
  Promised<absl::StatusOr<BackupResult>> first;
  store_->Backup(backup_, [&](auto r) { first.Set(std::move(r)); });
  EXPECT_EQ(BackUpAndWait(*store_, elsewhere_.File("second")).status().code(),
            absl::StatusCode::kUnavailable);
  gate.Open();
  EXPECT_TRUE(first.Take().ok());
  EXPECT_TRUE(BackUpAndWait(*store_, elsewhere_.File("second")).ok());
}

TEST_F(SqliteBackup, StoppingFinishesOneThatWasAskedFor) {
  Append(5000);
  Promised<absl::StatusOr<BackupResult>> result;
  store_->Backup(backup_, [&](auto r) { result.Set(std::move(r)); });
  store_.reset();
  EXPECT_EQ(result.times(), 1);
  EXPECT_TRUE(result.Take().ok());
  EXPECT_EQ(FactsIn(backup_).size(), 5001);
}

TEST_F(SqliteBackup, WhicheverWriteOfItFailsNothingIsLeftAndTheStoreGoesOn) {
  store_.reset();
  FaultyVfs disk;
  store_ = Open(path_, listener_);
  Append(3000);
  bool made = false;
  int failed = 0;
  for (int good = 0; !made; good += 37) {
    disk.FailWrites(SQLITE_FULL, good);
    const auto result = BackUpAndWait(*store_, backup_);
    disk.FailWrites(SQLITE_OK);
    made = result.ok();
    if (made) break;
    ++failed;
    EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable) << result.status();
    EXPECT_TRUE(elsewhere_.Contents().empty());
    Append(1);
  }
  EXPECT_GT(failed, 3);
  const size_t facts = AllFacts(*store_).size();
  EXPECT_EQ(FactsIn(backup_).size(), facts);
  store_.reset();
}

TEST_F(SqliteBackup, PutBackItHasANewStoreIdAndAllElseAsItWas) {
  Append(10);
  clock_.Advance(absl::Hours(1));
  Append(0);
  clock_.Advance(absl::Hours(1));
  const std::vector<Fact> facts = AllFacts(*store_);
  ASSERT_TRUE(ReinstateAndWait(*store_, facts[5].id).ok());
  ASSERT_TRUE(BackUpAndWait(*store_, backup_).ok());
  ASSERT_EQ(chmod(backup_.c_str(), 0400), 0);
  const std::string bytes = TempFolder::ReadFile(backup_);

  RestoreReport report;
  const absl::Status status = RestoreSqliteDatabase(backup_, restored_, report);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(report.revision, 13);
  EXPECT_EQ(report.facts, 12);
  EXPECT_EQ(report.newest, kStart + absl::Hours(2));
  EXPECT_TRUE(TempFolder::ReadFile(backup_) == bytes);
  EXPECT_EQ(elsewhere_.Contents().size(), 2);
  struct stat info;
  ASSERT_EQ(stat(restored_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600);

  RecordingListener listener;
  const auto restored = Open(restored_, listener);
  ASSERT_NE(restored, nullptr);
  EXPECT_EQ(restored->store_id().size(), 32);
  EXPECT_NE(restored->store_id(), store_->store_id());
  EXPECT_EQ(listener.revision(), 13);
  EXPECT_EQ(listener.tags(), 11);
  ExpectSame(AllFacts(*restored), AllFacts(*store_));
}

TEST_F(SqliteBackup, IsRefusedWhereItIsOpenedAsItIs) {
  Append(3);
  ASSERT_TRUE(BackUpAndWait(*store_, backup_).ok());
  store_.reset();
  const std::string bytes = TempFolder::ReadFile(backup_);
  // In the place of the store that it was made of, by hand.
  TempFolder::WriteFile(path_, bytes);
  const auto opened = OpenSqliteStore({.path = path_}, clock_, listener_);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(opened.status().message()),
              AllOf(HasSubstr(absl::StrCat(path_, " is a backup")),
                    HasSubstr("`gatehouse-server --restore FILE --config FILE`")));
  EXPECT_TRUE(TempFolder::ReadFile(path_) == bytes);
  RestoreReport report;
  ASSERT_TRUE(RestoreSqliteDatabase(path_, restored_, report).ok());
  RecordingListener listener;
  EXPECT_NE(Open(restored_, listener), nullptr) << "put back, it is a database";
}

TEST_F(SqliteBackup, OneWithoutTheMarkIsPutBackToo) {
  Append(3);
  const std::vector<Fact> facts = AllFacts(*store_);
  ASSERT_TRUE(BackUpAndWait(*store_, backup_).ok());
  ASSERT_EQ(Child({"sqlite3", backup_, "PRAGMA user_version = 2"}).Wait(), 0);
  ExpectSame(FactsIn(backup_), facts);
}

TEST_F(SqliteBackup, AnEmptyOnePutBackKnowsNothing) {
  ASSERT_TRUE(BackUpAndWait(*store_, backup_).ok());
  RestoreReport report;
  ASSERT_TRUE(RestoreSqliteDatabase(backup_, restored_, report).ok());
  EXPECT_EQ(report.facts, 0);
  EXPECT_EQ(report.revision, 0);
  EXPECT_EQ(report.newest, absl::InfinitePast());
}

TEST_F(SqliteBackup, IsNeverPutWhereSomethingLies) {
  ASSERT_TRUE(BackUpAndWait(*store_, backup_).ok());
  for (const char* suffix : {"", "-wal", "-journal", "-shm"}) {
    TempFolder folder;
    TempFolder::WriteFile(folder.File("db") + suffix, "precious");
    RestoreReport report;
    const absl::Status status = RestoreSqliteDatabase(backup_, folder.File("db"), report);
    EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
    EXPECT_EQ(folder.Contents().size(), 1);
    EXPECT_EQ(TempFolder::ReadFile(folder.File("db") + suffix), "precious");
  }
}

class SqliteRestoreRefusal : public SqliteBackup {
 protected:
  void ExpectRefused(absl::StatusCode code, const std::string& message) {
    const auto before = elsewhere_.Contents();
    RestoreReport report;
    const absl::Status status = RestoreSqliteDatabase(backup_, restored_, report);
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(backup_), HasSubstr(message)));
    EXPECT_TRUE(elsewhere_.Contents() == before) << "the folder was changed";
  }
  void ExpectRefused(const std::string& message) {
    ExpectRefused(absl::StatusCode::kFailedPrecondition, message);
  }
};

TEST_F(SqliteRestoreRefusal, WhatIsNoBackup) {
  ExpectRefused(absl::StatusCode::kNotFound, "does not exist");
  TempFolder::WriteFile(backup_, "");
  ExpectRefused("is empty");
  TempFolder::WriteFile(backup_, std::string(5000, 'x'));
  ExpectRefused("no SQLite database");
  std::filesystem::remove(backup_);
  std::filesystem::create_directory(backup_);
  ExpectRefused("not a regular file");
  std::filesystem::remove(backup_);
  ASSERT_EQ(mkfifo(backup_.c_str(), 0600), 0);
  ExpectRefused("not a regular file");
}

TEST_F(SqliteRestoreRefusal, AnotherProgramsOrANewerOne) {
  ASSERT_EQ(Child({"sqlite3", backup_, "CREATE TABLE t (x); PRAGMA application_id = 77"}).Wait(),
            0);
  ExpectRefused("another program's");
  std::filesystem::remove(backup_);
  ASSERT_TRUE(BackUpAndWait(*store_, backup_).ok());
  ASSERT_EQ(Child({"sqlite3", backup_, "PRAGMA user_version = 3"}).Wait(), 0);
  ExpectRefused("newer Gatehouse");
}

TEST_F(SqliteRestoreRefusal, EveryPageDamagedInTurn) {
  Append(200);
  ASSERT_TRUE(BackUpAndWait(*store_, backup_).ok());
  const std::string good = TempFolder::ReadFile(backup_);
  ASSERT_GT(good.size() / 4096, 8);
  for (size_t page = 1; page < good.size() / 4096; ++page) {
    std::string bytes = good;
    for (size_t i = 0; i < 4096; ++i) bytes[page * 4096 + i] ^= 0x5a;
    TempFolder::WriteFile(backup_, bytes);
    ExpectRefused("is damaged");
  }
  TempFolder::WriteFile(backup_, good.substr(0, good.size() / 2));
  ExpectRefused("is damaged");
}

TEST_F(SqliteRestoreRefusal, ADatabaseThatIsInUse) {
  Append(3);
  ASSERT_EQ(Child({"cp", path_, backup_}).Wait(), 0);
  ExpectRefused("not closed cleanly");
  ASSERT_EQ(Child({"cp", path_ + "-wal", backup_ + "-wal"}).Wait(), 0);
  ExpectRefused("not closed cleanly");
  TempFolder::WriteFile(backup_ + "-wal", "");
  ExpectRefused("not closed cleanly");
}

}  // namespace
}  // namespace gatehouse::revocation
