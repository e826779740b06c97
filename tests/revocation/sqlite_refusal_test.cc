// What OpenSqliteStore refuses, and that it leaves it as it was.

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/revocation/sqlite_store.h"
#include "tests/revocation/child.h"
#include "tests/revocation/store_testing.h"
#include "tests/revocation/temp_folder.h"
#include "tests/support/fake_clock.h"

namespace gatehouse::revocation {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// While it lives, files are opened with the rights of nobody in particular.
class WithoutRootsRights {
 public:
  WithoutRootsRights() : was_(geteuid()) {
    if (was_ == 0) changed_ = seteuid(65534) == 0;
  }
  ~WithoutRootsRights() {
    if (changed_ && seteuid(was_) != 0) abort();
  }
  WithoutRootsRights(const WithoutRootsRights&) = delete;
  WithoutRootsRights& operator=(const WithoutRootsRights&) = delete;

 private:
  const uid_t was_;
  bool changed_ = false;
};

class SqliteRefusal : public testing::Test {
 protected:
  void Create() {
    const absl::Status status = CreateSqliteDatabase(path_);
    ASSERT_TRUE(status.ok()) << status;
  }
  absl::StatusOr<std::unique_ptr<RevocationStore>> Open() {
    return OpenSqliteStore({.path = path_}, clock_, listener_);
  }
  // Made, filled with some facts and closed.
  void CreateWithFacts(int count) {
    Create();
    auto store = Open();
    ASSERT_TRUE(store.ok()) << store.status();
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(AppendAndWait(**store, SubjectFact(absl::StrCat("u", i))).ok());
    }
  }
  void ExecuteBySomebodyElse(const std::string& sql) const {
    SQLite::Database db(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    db.exec(sql);
  }
  // Refused with the file's name and `message`, and the folder is as it was before.
  template <typename Matcher>
  void ExpectRefused(absl::StatusCode code, const Matcher& message) {
    const auto before = folder_.Contents();
    const auto store = Open();
    EXPECT_EQ(store.status().code(), code) << store.status();
    EXPECT_THAT(std::string(store.status().message()), AllOf(HasSubstr(path_), message));
    EXPECT_TRUE(folder_.Contents() == before) << "the folder was changed";
  }
  template <typename Matcher>
  void ExpectRefused(const Matcher& message) {
    ExpectRefused(absl::StatusCode::kFailedPrecondition, message);
  }

  TempFolder folder_;
  std::string path_ = folder_.File("gatehouse.db");
  FakeClock clock_{kStart};
  RecordingListener listener_;
};

constexpr char kCommand[] = "gatehouse-server --create-database --config FILE";

TEST_F(SqliteRefusal, AMissingFileIsNotMadeAndTheMessageGivesTheCommand) {
  ExpectRefused(absl::StatusCode::kNotFound,
                AllOf(HasSubstr("does not exist"), HasSubstr(kCommand)));
}

TEST_F(SqliteRefusal, AMissingFolderIsNamed) {
  path_ = folder_.File("no/such/gatehouse.db");
  ExpectRefused(absl::StatusCode::kNotFound,
                AllOf(HasSubstr("the folder " + folder_.File("no/such")), HasSubstr(kCommand)));
}

TEST_F(SqliteRefusal, AFolderThatIsAFileIsNoFolder) {
  TempFolder::WriteFile(folder_.File("file"), "x");
  path_ = folder_.File("file/gatehouse.db");
  ExpectRefused(absl::StatusCode::kNotFound, HasSubstr("does not exist"));
}

TEST_F(SqliteRefusal, AFolderInItsPlace) {
  std::filesystem::create_directory(path_);
  ExpectRefused(HasSubstr("is a folder"));
}

TEST_F(SqliteRefusal, APipeInItsPlace) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  ExpectRefused(HasSubstr("not a regular file"));
}

TEST_F(SqliteRefusal, AnEmptyPathAndOneWithAZeroByte) {
  for (const std::string& path : {std::string(), path_ + std::string("\0x", 2)}) {
    const auto store = OpenSqliteStore({.path = path}, clock_, listener_);
    EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_FALSE(CreateSqliteDatabase(path).ok());
  }
  EXPECT_TRUE(folder_.Contents().empty());
}

TEST_F(SqliteRefusal, AnEmptyFile) {
  TempFolder::WriteFile(path_, "");
  ExpectRefused(AllOf(HasSubstr("is empty"), HasSubstr("put back a good copy")));
}

TEST_F(SqliteRefusal, BytesThatAreNoDatabase) {
  std::string bytes(8192, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 2654435761U >> 13);
  for (const size_t size : {size_t{1}, size_t{99}, size_t{100}, bytes.size()}) {
    TempFolder::WriteFile(path_, bytes.substr(0, size));
    ExpectRefused(HasSubstr("no SQLite database"));
  }
}

TEST_F(SqliteRefusal, AHeaderOfZeros) {
  CreateWithFacts(3);
  std::string bytes = TempFolder::ReadFile(path_);
  TempFolder::WriteFile(path_, bytes.replace(0, 100, 100, '\0'));
  ExpectRefused(HasSubstr("no SQLite database"));
}

TEST_F(SqliteRefusal, ADatabaseCutShort) {
  CreateWithFacts(300);
  const std::string bytes = TempFolder::ReadFile(path_);
  TempFolder::WriteFile(path_, bytes.substr(0, 4096));
  ExpectRefused(HasSubstr("is damaged"));
}

TEST_F(SqliteRefusal, AnotherProgramsDatabase) {
  ExecuteBySomebodyElse("CREATE TABLE notes (text TEXT); PRAGMA application_id = 77");
  ExpectRefused(AllOf(HasSubstr("another program's"), HasSubstr("0x0000004d")));
}

TEST_F(SqliteRefusal, AnotherProgramsDatabaseInWalMode) {
  ExecuteBySomebodyElse("PRAGMA journal_mode = WAL; CREATE TABLE notes (text TEXT)");
  ExpectRefused(HasSubstr("another program's"));
}

TEST_F(SqliteRefusal, AnotherProgramsDatabaseThatItWasKilledInTheMiddleOf) {
  // With a journal to be rolled back and with a -wal to be recovered.
  for (const char* mode : {"DELETE", "WAL"}) {
    path_ = folder_.File(mode);
    Child child({"sqlite3", path_});
    child.Write(
        absl::StrCat("PRAGMA journal_mode=", mode,
                     ";\nCREATE TABLE t(x); INSERT INTO t VALUES (1);\n"
                     "PRAGMA cache_size=1; BEGIN;\n"
                     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT "
                     "3000) INSERT INTO t SELECT randomblob(500) FROM n;\nSELECT 'there';\n"));
    std::string line;
    while (line != "there" && child.ReadLine(line)) continue;
    ASSERT_EQ(line, "there");
    child.Kill();
    child.Wait();
    ASSERT_GT(folder_.Contents().size(), 1);
    ExpectRefused(HasSubstr("another program's"));
  }
}

TEST_F(SqliteRefusal, ANewerSchema) {
  Create();
  ExecuteBySomebodyElse("PRAGMA user_version = 3");
  ExpectRefused(AllOf(HasSubstr("schema version 3"), HasSubstr("newer Gatehouse")));
}

TEST_F(SqliteRefusal, ANewerSchemaThatStandsOnlyInTheWalFile) {
  Create();
  {
    Child child({"sqlite3", path_});
    child.Write("PRAGMA user_version = 3;\nSELECT 'there';\n");
    std::string line;
    while (line != "there" && child.ReadLine(line)) continue;
    ASSERT_EQ(line, "there");
  }
  ASSERT_GT(std::filesystem::file_size(path_ + "-wal"), 0);
  std::filesystem::remove(path_ + "-shm");
  ExpectRefused(HasSubstr("schema version 3"));
}

TEST_F(SqliteRefusal, ASchemaWithoutVersion) {
  Create();
  ExecuteBySomebodyElse("PRAGMA user_version = 0");
  ExpectRefused(HasSubstr("no complete Gatehouse database"));
}

TEST_F(SqliteRefusal, TablesThatAreMissing) {
  for (const char* sql : {"DROP TABLE fact", "DROP TABLE store", "DROP TABLE revision",
                          "DELETE FROM store", "DELETE FROM revision"}) {
    std::filesystem::remove(path_);
    Create();
    ExecuteBySomebodyElse(sql);
    ExpectRefused(HasSubstr("is damaged"));
  }
}

TEST_F(SqliteRefusal, ARevisionBehindItsFacts) {
  CreateWithFacts(3);
  ExecuteBySomebodyElse("UPDATE revision SET value = 2");
  ExpectRefused(AllOf(HasSubstr("is damaged"), HasSubstr("its revision is 2")));
}

TEST_F(SqliteRefusal, EveryPageDamagedInTurn) {
  CreateWithFacts(200);
  const std::string good = TempFolder::ReadFile(path_);
  ASSERT_GT(good.size() / 4096, 8);
  for (size_t page = 1; page < good.size() / 4096; ++page) {
    std::string bytes = good;
    for (size_t i = 0; i < 4096; ++i) bytes[page * 4096 + i] ^= 0x5a;
    TempFolder::WriteFile(path_, bytes);
    ExpectRefused(HasSubstr("is damaged"));
  }
  // The first one apart from the part that Gatehouse reads itself.
  std::string bytes = good;
  for (size_t i = 100; i < 4096; ++i) bytes[i] ^= 0x5a;
  TempFolder::WriteFile(path_, bytes);
  ExpectRefused(HasSubstr("is damaged"));
  // And it is that byte that made the difference.
  TempFolder::WriteFile(path_, good);
  EXPECT_TRUE(Open().ok());
}

TEST_F(SqliteRefusal, AFileThatCannotBeWritten) {
  Create();
  ASSERT_EQ(chmod(path_.c_str(), 0444), 0);
  ASSERT_EQ(chmod(folder_.path().c_str(), 0777), 0);
  const WithoutRootsRights rights;
  ExpectRefused(AllOf(HasSubstr("cannot be opened for writing"), HasSubstr("Permission denied")));
}

TEST_F(SqliteRefusal, AFolderThatCannotBeWritten) {
  Create();
  ASSERT_EQ(chmod(path_.c_str(), 0666), 0);
  ASSERT_EQ(chmod(folder_.path().c_str(), 0555), 0);
  {
    const WithoutRootsRights rights;
    ExpectRefused(AllOf(HasSubstr("cannot be opened for writing"), HasSubstr("folder")));
  }
  ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
}

TEST_F(SqliteRefusal, AFileThatAnotherGatehouseHasOpenNamesItsProcess) {
  Create();
  Child holder({GATEHOUSE_REVOKER, path_, "0"});
  std::string line;
  ASSERT_TRUE(holder.ReadLine(line));
  ASSERT_THAT(line, testing::StartsWith("open "));
  ExpectRefused(HasSubstr(absl::StrCat("in use by process ", holder.pid())));
  EXPECT_EQ(holder.Wait(), 0);
  EXPECT_TRUE(Open().ok());
}

TEST_F(SqliteRefusal, AnotherProcessIsToldTheProcessThatHasItOpenHere) {
  Create();
  const auto store = Open();
  ASSERT_TRUE(store.ok()) << store.status();
  // Also after this process has refused itself a second time.
  for (int i = 0; i < 2; ++i) {
    Child other({GATEHOUSE_REVOKER, path_, "0"});
    std::string line;
    ASSERT_TRUE(other.ReadLine(line));
    EXPECT_THAT(line, HasSubstr(absl::StrCat("in use by process ", getpid())));
    EXPECT_EQ(other.Wait(), 1);
    EXPECT_FALSE(Open().ok());
  }
  Child shell({"sqlite3", path_});
  shell.Write(".log stdout\nSELECT count(*) FROM fact;\nSELECT 'end';\n");
  std::string line;
  bool locked = false;
  while (line != "end" && shell.ReadLine(line)) {
    if (line.find("locked") != std::string::npos) locked = true;
  }
  EXPECT_TRUE(locked);
  EXPECT_TRUE(AppendAndWait(**store, SubjectFact("u1")).ok());
}

TEST_F(SqliteRefusal, AFileThatAShellReads) {
  Create();
  Child shell({"sqlite3", path_});
  shell.Write("BEGIN; SELECT value FROM revision;\n");
  std::string line;
  ASSERT_TRUE(shell.ReadLine(line));
  ASSERT_EQ(line, "0");
  const auto store = Open();
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(store.status().message()),
              HasSubstr(absl::StrCat("in use by process ", shell.pid())));
}

TEST_F(SqliteRefusal, AFileThatThisProcessHasOpenAlready) {
  Create();
  auto store = Open();
  ASSERT_TRUE(store.ok()) << store.status();
  // Under its own name and under others.
  std::filesystem::create_symlink(path_, folder_.File("symbolic.db"));
  std::filesystem::create_hard_link(path_, folder_.File("hard.db"));
  for (const char* name : {"gatehouse.db", "symbolic.db", "hard.db"}) {
    const auto second = OpenSqliteStore({.path = folder_.File(name)}, clock_, listener_);
    EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(second.status().message()),
                AllOf(HasSubstr(folder_.File(name)), HasSubstr("this very process")));
  }
  EXPECT_TRUE(AppendAndWait(**store, SubjectFact("u1")).ok());
  store->reset();
  EXPECT_TRUE(Open().ok());
}

TEST_F(SqliteRefusal, SqliteKeepsAConnectionOfThisProcessOutToo) {
  Create();
  const auto store = Open();
  ASSERT_TRUE(store.ok()) << store.status();
  SQLite::Database other(path_, SQLite::OPEN_READWRITE);
  EXPECT_THROW(other.execAndGet("SELECT value FROM revision"), SQLite::Exception);
}

TEST_F(SqliteRefusal, ARefusedFileCanBeOpenedOnceItIsMended) {
  Create();
  ExecuteBySomebodyElse("PRAGMA user_version = 9");
  EXPECT_FALSE(Open().ok());
  ExecuteBySomebodyElse("PRAGMA user_version = 2");
  EXPECT_TRUE(Open().ok());
}

}  // namespace
}  // namespace gatehouse::revocation
