// A store whose disk, file or folder fails underneath it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/revocation/sqlite_store.h"
#include "tests/revocation/faulty_vfs.h"
#include "tests/revocation/store_testing.h"
#include "tests/revocation/temp_folder.h"
#include "tests/support/fake_clock.h"

namespace gatehouse::revocation {
namespace {

using testing::HasSubstr;

class SqliteFault : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(CreateSqliteDatabase(path_).ok());
    Reopen();
    ASSERT_NE(store_, nullptr);
    ASSERT_TRUE(AppendAndWait(*store_, SubjectFact("before")).ok());
  }

  void Reopen() {
    store_.reset();
    listener_ = std::make_unique<RecordingListener>();
    auto store = OpenSqliteStore({.path = path_}, clock_, *listener_);
    EXPECT_TRUE(store.ok()) << store.status();
    if (store.ok()) store_ = *std::move(store);
  }

  void ExpectRefusedWith(const std::string& subject, const std::string& reason) {
    const int calls = listener_->calls();
    const auto result = AppendAndWait(*store_, SubjectFact(subject));
    EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable) << result.status();
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(reason));
    EXPECT_EQ(listener_->calls(), calls);
  }

  std::vector<std::string> Subjects() {
    const auto list = ListAndWait(*store_, {.limit = 1000});
    EXPECT_TRUE(list.ok()) << list.status();
    std::vector<std::string> subjects;
    if (list.ok()) {
      for (const Fact& fact : list->facts) subjects.push_back(fact.target);
    }
    return subjects;
  }

  TempFolder folder_;
  std::string path_ = folder_.File("gatehouse.db");
  FakeClock clock_{kStart};
  FaultyVfs disk_;
  std::unique_ptr<RecordingListener> listener_;
  std::unique_ptr<RevocationStore> store_;
};

TEST_F(SqliteFault, EveryGroupIsSyncedBeforeItIsAcknowledged) {
  for (int i = 0; i < 5; ++i) {
    const int64_t before = disk_.syncs();
    ASSERT_TRUE(AppendAndWait(*store_, SubjectFact(absl::StrCat("u", i))).ok());
    EXPECT_GT(disk_.syncs(), before);
  }
}

TEST_F(SqliteFault, OnAFullDiskNothingIsWrittenAndItGoesOnWhenThereIsRoom) {
  disk_.FailWrites(SQLITE_FULL);
  for (int i = 0; i < 3; ++i) ExpectRefusedWith("u1", "the disk is full");
  EXPECT_THAT(Subjects(), testing::ElementsAre("before"));
  disk_.FailWrites(SQLITE_OK);
  const auto result = AppendAndWait(*store_, SubjectFact("u1"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->existed);
  EXPECT_EQ(result->revision, 2);
  Reopen();
  EXPECT_EQ(listener_->revision(), 2);
  EXPECT_THAT(Subjects(), testing::ElementsAre("u1", "before"));
}

TEST_F(SqliteFault, WhicheverWriteOfACommitFailsNothingOfItIsThere) {
  for (int good = 0; good < 12; ++good) {
    const std::string subject = absl::StrCat("u", good);
    disk_.FailWrites(SQLITE_IOERR_WRITE, good);
    const auto result = AppendAndWait(*store_, SubjectFact(subject));
    disk_.FailWrites(SQLITE_OK);
    if (result.ok()) {
      // The commit took fewer writes than that: all have been tried.
      EXPECT_GT(good, 1);
      return;
    }
    EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("nothing was written"));
    EXPECT_THAT(Subjects(), testing::Each(testing::Ne(subject)));
    const auto again = AppendAndWait(*store_, SubjectFact(subject));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_FALSE(again->existed);
    EXPECT_EQ(again->revision, good + 2);
  }
  FAIL() << "a commit of one fact took more than 12 writes";
}

TEST_F(SqliteFault, WhatCouldNotBeSyncedIsNotAcknowledged) {
  disk_.FailSyncs(SQLITE_IOERR_FSYNC);
  ExpectRefusedWith("u1", "nothing was written");
  EXPECT_THAT(Subjects(), testing::ElementsAre("before"));
  disk_.FailSyncs(SQLITE_OK);
  EXPECT_TRUE(AppendAndWait(*store_, SubjectFact("u2")).ok());
  Reopen();
  EXPECT_THAT(Subjects(), testing::ElementsAre("u2", "before"));
}

TEST_F(SqliteFault, AGroupFailsAsAWhole) {
  constexpr size_t kGroup = 50;
  Gate gate;
  std::vector<Promised<absl::StatusOr<AppendResult>>> results(kGroup);
  listener_->HoldAt(&gate);
  store_->Append(SubjectFact("busy"), [](const auto&) {});
  gate.AwaitSomebody();
  for (size_t i = 0; i < kGroup; ++i) {
    // The first is in force already: it shares the group's fate.
    store_->Append(SubjectFact(i == 0 ? "before" : absl::StrCat("u", i)),
                   [&results, i](auto r) { results[i].Set(std::move(r)); });
  }
  disk_.FailWrites(SQLITE_FULL, 3);
  gate.Open();
  for (auto& result : results) {
    EXPECT_EQ(result.Take().status().code(), absl::StatusCode::kUnavailable);
  }
  listener_->HoldAt(nullptr);
  EXPECT_THAT(Subjects(), testing::ElementsAre("busy", "before"));
  disk_.FailWrites(SQLITE_OK);
  Reopen();
  EXPECT_THAT(Subjects(), testing::ElementsAre("busy", "before"));
}

TEST_F(SqliteFault, AFactThatTheTablesRefuseIsRolledBackAndTheNextOneIsWritten) {
  NewFact odd = SubjectFact("odd");
  odd.kind = static_cast<TagKind>(8);
  const auto refused = AppendAndWait(*store_, odd);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  const auto result = AppendAndWait(*store_, SubjectFact("u1"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->revision, 2);
  Reopen();
  EXPECT_THAT(Subjects(), testing::ElementsAre("u1", "before"));
}

TEST_F(SqliteFault, AFullDiskDoesNotKeepTheStoreFromOpening) {
  disk_.FailWrites(SQLITE_FULL);
  Reopen();
  ASSERT_NE(store_, nullptr);
  EXPECT_EQ(listener_->tags(), 1);
  ExpectRefusedWith("u1", "the disk is full");
  disk_.FailWrites(SQLITE_OK);
  EXPECT_TRUE(AppendAndWait(*store_, SubjectFact("u1")).ok());
}

// A commit that was written and never synced is read at the next start: nobody must be told
// of it before it is on the disk, and its revision given to another fact after a power cut.
TEST_F(SqliteFault, WhatIsReadAtAStartIsSyncedBeforeAnybodyIsToldOfIt) {
  disk_.FailSyncs(SQLITE_IOERR_FSYNC);
  ExpectRefusedWith("u1", "nothing was written");
  store_.reset();
  RecordingListener listener;
  const auto store = OpenSqliteStore({.path = path_}, clock_, listener);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("cannot be synced"));
  EXPECT_EQ(listener.calls(), 0);
  disk_.FailSyncs(SQLITE_OK);
  Reopen();
  EXPECT_THAT(Subjects(), testing::Contains("before"));
}

TEST_F(SqliteFault, ACheckpointThatFailsLosesNothing) {
  // More than the thousand pages after which SQLite moves the -wal into the file.
  for (int i = 0; i < 400; ++i) {
    ASSERT_TRUE(AppendAndWait(*store_, SubjectFact(absl::StrCat("u", i))).ok());
  }
  Reopen();
  ASSERT_TRUE(AppendAndWait(*store_, SubjectFact("last")).ok());
  disk_.FailWrites(SQLITE_FULL);
  store_.reset();  // its last checkpoint fails
  disk_.FailWrites(SQLITE_OK);
  Reopen();
  EXPECT_EQ(listener_->tags(), 402);
}

TEST_F(SqliteFault, AFileThatWasDeletedIsNotWrittenToAnyMore) {
  std::filesystem::remove(path_);
  ExpectRefusedWith("u1", "moved or deleted");
  EXPECT_THAT(Subjects(), testing::ElementsAre("before"));
  ExpectRefusedWith("u2", "restart");
}

TEST_F(SqliteFault, AFileThatWasMovedAndPutBackIsWrittenToAfterReopening) {
  std::filesystem::rename(path_, folder_.File("elsewhere"));
  ExpectRefusedWith("u1", "moved or deleted");
  std::filesystem::rename(folder_.File("elsewhere"), path_);
  ExpectRefusedWith("u1", "moved or deleted");
  Reopen();
  EXPECT_THAT(Subjects(), testing::ElementsAre("before"));
  EXPECT_TRUE(AppendAndWait(*store_, SubjectFact("u1")).ok());
}

TEST_F(SqliteFault, AFileThatWasReplacedGetsNothingOfTheOldOne) {
  for (const bool noticed_before_closing : {true, false}) {
    const std::string other = folder_.File("other.db");
    const std::string old = folder_.File("old.db");
    ASSERT_TRUE(CreateSqliteDatabase(other).ok());
    const std::string content = TempFolder::ReadFile(other);
    std::filesystem::rename(path_, old);
    std::filesystem::rename(other, path_);
    if (noticed_before_closing) ExpectRefusedWith("u1", "moved or deleted");
    store_.reset();
    EXPECT_EQ(TempFolder::ReadFile(path_), content);
    Reopen();
    EXPECT_THAT(Subjects(), testing::IsEmpty());
    // The old one is complete: an empty -wal file will do.
    store_.reset();
    std::filesystem::remove(path_);
    EXPECT_FALSE(std::filesystem::exists(path_ + "-wal"));
    std::filesystem::rename(old, path_);
    TempFolder::WriteFile(path_ + "-wal", "");
    Reopen();
    EXPECT_THAT(Subjects(), testing::ElementsAre("before"));
  }
}

TEST_F(SqliteFault, AWalFileThatWasDeletedIsNoticed) {
  std::filesystem::remove(path_ + "-wal");
  ExpectRefusedWith("u1", "moved or deleted");
  // What was acknowledged before is moved into the file when the store closes.
  Reopen();
  EXPECT_THAT(Subjects(), testing::ElementsAre("before"));
}

TEST_F(SqliteFault, ADeletionBetweenCommitAndAcknowledgementIsNoticed) {
  // The file goes away while the commit is synced.
  Gate gate;
  listener_->HoldAt(&gate);
  store_->Append(SubjectFact("busy"), [](const auto&) {});
  gate.AwaitSomebody();
  disk_.OnNextSync([this] { std::filesystem::remove(path_); });
  Promised<absl::StatusOr<AppendResult>> result;
  store_->Append(SubjectFact("u1"), [&](auto r) { result.Set(std::move(r)); });
  gate.Open();
  EXPECT_THAT(std::string(result.Take().status().message()), HasSubstr("moved or deleted"));
  listener_->HoldAt(nullptr);
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(listener_->revision(), 2);
}

}  // namespace
}  // namespace gatehouse::revocation
