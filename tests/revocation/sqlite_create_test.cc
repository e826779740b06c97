#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/revocation/sqlite_store.h"
#include "tests/revocation/store_testing.h"
#include "tests/revocation/temp_folder.h"
#include "tests/support/fake_clock.h"

namespace gatehouse::revocation {
namespace {

using testing::HasSubstr;

class CreateDatabase : public testing::Test {
 protected:
  std::string IdOf(const std::string& path) {
    const auto store = OpenSqliteStore({.path = path}, clock_, listener_);
    return store.ok() ? (*store)->store_id() : std::string(store.status().message());
  }

  TempFolder folder_;
  std::string path_ = folder_.File("gatehouse.db");
  FakeClock clock_{kStart};
  RecordingListener listener_;
};

TEST_F(CreateDatabase, LeavesOneFileThatOnlyItsOwnerMayRead) {
  const absl::Status status = CreateSqliteDatabase(path_);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(folder_.Contents().size(), 1);
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600);
  // WAL mode and the identity stand in the file itself: bytes 18, 19, 60 and 68.
  const std::string bytes = TempFolder::ReadFile(path_);
  ASSERT_GT(bytes.size(), 100);
  EXPECT_EQ(bytes.substr(18, 2), "\x02\x02");
  EXPECT_EQ(bytes.substr(60, 4), std::string("\0\0\0\2", 4));
  EXPECT_EQ(bytes.substr(68, 4), "Gate");
}

TEST_F(CreateDatabase, EachHasAnIdOfItsOwn) {
  std::set<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    const std::string path = folder_.File(absl::StrCat(i));
    ASSERT_TRUE(CreateSqliteDatabase(path).ok());
    ids.insert(IdOf(path));
  }
  EXPECT_EQ(ids.size(), 5);
}

TEST_F(CreateDatabase, NeverReplacesWhatLiesThere) {
  for (const char* suffix : {"", "-wal", "-journal", "-shm"}) {
    TempFolder folder;
    TempFolder::WriteFile(folder.File("db") + suffix, "precious");
    const absl::Status status = CreateSqliteDatabase(folder.File("db"));
    EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(folder.File("db") + suffix));
    if (*suffix != '\0') {
      EXPECT_THAT(std::string(status.message()),
                  HasSubstr("may hold revocations of a database that was moved"));
    }
    EXPECT_EQ(folder.Contents().size(), 1);
    EXPECT_EQ(TempFolder::ReadFile(folder.File("db") + suffix), "precious");
  }
}

TEST_F(CreateDatabase, NeverReplacesADatabaseAFolderOrALinkToNowhere) {
  ASSERT_TRUE(CreateSqliteDatabase(path_).ok());
  const std::string id = IdOf(path_);
  EXPECT_EQ(CreateSqliteDatabase(path_).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(IdOf(path_), id);
  std::filesystem::create_directory(folder_.File("folder"));
  EXPECT_EQ(CreateSqliteDatabase(folder_.File("folder")).code(), absl::StatusCode::kAlreadyExists);
  std::filesystem::create_symlink("nowhere", folder_.File("link"));
  EXPECT_EQ(CreateSqliteDatabase(folder_.File("link")).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(std::filesystem::exists(folder_.File("nowhere")));
}

TEST_F(CreateDatabase, AMissingFolderIsNamedAndNotMade) {
  const absl::Status status = CreateSqliteDatabase(folder_.File("no/such/db"));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(folder_.File("no/such")));
  EXPECT_TRUE(folder_.Contents().empty());
}

TEST_F(CreateDatabase, OfManyAtOnceExactlyOneSucceeds) {
  constexpr int kThreads = 8;
  std::atomic<int> made = 0;
  std::atomic<int> exists = 0;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      const absl::Status status = CreateSqliteDatabase(path_);
      if (status.ok()) ++made;
      if (absl::IsAlreadyExists(status)) ++exists;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(exists, kThreads - 1);
  EXPECT_EQ(folder_.Contents().size(), 1);
  EXPECT_EQ(IdOf(path_).size(), 32);
}

TEST_F(CreateDatabase, NamesThatMeanSomethingToSqliteAreOrdinaryNames) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  for (const char* name : {":memory:", "file:other.db?mode=memory"}) {
    EXPECT_TRUE(CreateSqliteDatabase(name).ok());
    EXPECT_EQ(IdOf(name).size(), 32) << IdOf(name);
    EXPECT_TRUE(std::filesystem::exists(folder_.File(name)));
  }
  std::filesystem::current_path(before);
}

}  // namespace
}  // namespace gatehouse::revocation
