#include "server/frontend/decision_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/revocation/temp_folder.h"

namespace gatehouse::frontend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class DecisionFileTest : public ::testing::Test {
 protected:
  DecisionFile Open(int64_t max_bytes = 1000, int keep_files = 2) {
    return DecisionFile::Open({.path = path_, .max_bytes = max_bytes, .keep_files = keep_files})
        .value();
  }
  static int64_t Append(DecisionFile& file, const std::string& lines) {
    int64_t written = 0;
    EXPECT_EQ(file.Append(lines, written), absl::OkStatus());
    return written;
  }

  const revocation::TempFolder folder_;
  const std::string path_ = folder_.File("d");
};

TEST_F(DecisionFileTest, IsMadeForItsOwnerAloneAndAppendedTo) {
  {
    DecisionFile file = Open();
    EXPECT_EQ(Append(file, "{1}\n{2}\n"), 2);
  }
  DecisionFile file = Open();
  EXPECT_EQ(Append(file, "{3}\n"), 1);
  EXPECT_THAT(folder_.Contents(), ElementsAre(Pair("d", "{1}\n{2}\n{3}\n")));
  struct stat found{};
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600);
}

TEST_F(DecisionFileTest, RotatesWhenOneByteMoreWouldNotFit) {
  DecisionFile file = Open(/*max_bytes=*/8);
  EXPECT_EQ(Append(file, "aaa\nbbb\n"), 2);
  EXPECT_THAT(folder_.Contents(), ElementsAre(Pair("d", "aaa\nbbb\n")));
  EXPECT_EQ(Append(file, "\n"), 1);
  EXPECT_THAT(folder_.Contents(), ElementsAre(Pair("d", "\n"), Pair("d.1", "aaa\nbbb\n")));
  EXPECT_EQ(Append(file, "cccccc\n"), 1);
  EXPECT_EQ(Append(file, "d\n"), 1);
  EXPECT_THAT(folder_.Contents(),
              ElementsAre(Pair("d", "d\n"), Pair("d.1", "\ncccccc\n"), Pair("d.2", "aaa\nbbb\n")));
}

TEST_F(DecisionFileTest, ManyLinesAtOnceAreSpreadWholeAndTheOldestFileGoes) {
  DecisionFile file = Open(/*max_bytes=*/8);
  EXPECT_EQ(Append(file, "aaa\nbbb\nccccc\nddd\nfff\nggg\nhhh\n"), 7);
  EXPECT_THAT(folder_.Contents(), ElementsAre(Pair("d", "ggg\nhhh\n"), Pair("d.1", "ddd\nfff\n"),
                                              Pair("d.2", "ccccc\n")));
}

TEST_F(DecisionFileTest, ALineThatIsTooLongHasAFileOfItsOwn) {
  DecisionFile file = Open(/*max_bytes=*/8);
  EXPECT_EQ(Append(file, "a\nlonger than eight\nb\n"), 3);
  EXPECT_THAT(folder_.Contents(), ElementsAre(Pair("d", "b\n"), Pair("d.1", "longer than eight\n"),
                                              Pair("d.2", "a\n")));
}

TEST_F(DecisionFileTest, WithoutKeptFilesWhatIsFullIsDropped) {
  DecisionFile file = Open(/*max_bytes=*/4, /*keep_files=*/0);
  EXPECT_EQ(Append(file, "aaa\nbbb\n"), 2);
  EXPECT_THAT(folder_.Contents(), ElementsAre(Pair("d", "bbb\n")));
}

TEST_F(DecisionFileTest, OnlyFilesBeforeTheFirstGapMoveUp) {
  revocation::TempFolder::WriteFile(folder_.File("d.2"), "old");
  DecisionFile file = Open(/*max_bytes=*/4);
  EXPECT_EQ(Append(file, "aaa\nbbb\n"), 2);
  EXPECT_THAT(folder_.Contents(),
              ElementsAre(Pair("d", "bbb\n"), Pair("d.1", "aaa\n"), Pair("d.2", "old")));
}

TEST_F(DecisionFileTest, ALineThatACrashHasCutOffIsEnded) {
  revocation::TempFolder::WriteFile(path_, "{\"whole\":1}\n{\"half");
  DecisionFile file = Open();
  EXPECT_EQ(Append(file, "{}\n"), 1);
  EXPECT_THAT(folder_.Contents(), ElementsAre(Pair("d", "{\"whole\":1}\n{\"half\n{}\n")));
}

TEST_F(DecisionFileTest, AFullDiskCountsWholeLinesAndIsLeftBehindCleanly) {
  std::signal(SIGXFSZ, SIG_IGN);
  DecisionFile file = Open();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit full = before;
  full.rlim_cur = 10;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);
  int64_t written = 0;
  const absl::Status status = file.Append("aaa\nbbb\nccc\n", written);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_ + ": cannot be written: "));
  EXPECT_EQ(written, 2);
  EXPECT_EQ(Append(file, "ddd\n"), 1);
  EXPECT_THAT(folder_.Contents(), ElementsAre(Pair("d", "aaa\nbbb\ncc\nddd\n")));
}

TEST_F(DecisionFileTest, AFileThatSomebodyMovedAwayIsMadeAgain) {
  DecisionFile file = Open();
  EXPECT_EQ(Append(file, "one\n"), 1);
  std::filesystem::rename(path_, folder_.File("moved"));
  EXPECT_EQ(Append(file, "two\n"), 1);
  EXPECT_THAT(folder_.Contents(), ElementsAre(Pair("d", "two\n"), Pair("moved", "one\n")));
}

TEST_F(DecisionFileTest, AFailedRotationLosesNoOldFile) {
  std::filesystem::create_directories(folder_.File("d.1/in the way"));
  revocation::TempFolder::WriteFile(folder_.File("d.2"), "old");
  DecisionFile file = Open(/*max_bytes=*/4, /*keep_files=*/1);
  EXPECT_EQ(Append(file, "aaa\n"), 1);
  int64_t written = 0;
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(std::string(file.Append("bbb\n", written).message()),
                HasSubstr("cannot be renamed to " + path_ + ".1"));
    EXPECT_EQ(written, 0);
  }
  EXPECT_EQ(revocation::TempFolder::ReadFile(path_), "aaa\n");
  EXPECT_EQ(revocation::TempFolder::ReadFile(folder_.File("d.2")), "old");
}

TEST_F(DecisionFileTest, WhatIsNoFileIsRefused) {
  ASSERT_EQ(mkfifo(folder_.File("pipe").c_str(), 0600), 0);
  for (const std::string& path : {folder_.path(), folder_.File("pipe"), std::string("/dev/full")}) {
    for (const absl::Status& status : {DecisionFile::Open({.path = path, .max_bytes = 1}).status(),
                                       DecisionFile::Check({.path = path})}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_EQ(status.message(), path + ": is not a file");
    }
  }
}

TEST_F(DecisionFileTest, AFileThatBeginsOtherwiseIsRefusedAndLeftAsItIs) {
  revocation::TempFolder::WriteFile(path_, "listen:\n");
  for (const absl::Status& status : {DecisionFile::Open({.path = path_, .max_bytes = 1}).status(),
                                     DecisionFile::Check({.path = path_})}) {
    EXPECT_EQ(status.message(), path_ + ": is no decision log: it does not begin with {");
  }
  EXPECT_THAT(folder_.Contents(), ElementsAre(Pair("d", "listen:\n")));
}

TEST_F(DecisionFileTest, AFileThatIsKeptForElseIsRefusedUnderEachOfItsNames) {
  const std::string database = folder_.File("a.db");
  revocation::TempFolder::WriteFile(database, "{");
  std::filesystem::create_symlink("a.db", folder_.File("soft"));
  std::filesystem::create_hard_link(database, folder_.File("hard"));
  std::filesystem::create_symlink("a.db-wal", folder_.File("soft-wal"));
  const std::vector<config::KeptFile> kept = {{database, "the database"},
                                              {database + "-wal", "the database"}};
  for (const char* name : {"a.db", "soft", "hard", "./a.db", "soft-wal"}) {
    const std::string path = folder_.File(name);
    for (const absl::Status& status :
         {DecisionFile::Open({.path = path, .max_bytes = 1, .kept = kept}).status(),
          DecisionFile::Check({.path = path, .kept = kept})}) {
      EXPECT_EQ(status.message(), path + ": is the database, and is left alone");
    }
  }
  EXPECT_FALSE(std::filesystem::exists(database + "-wal"));
}

TEST_F(DecisionFileTest, ALinkThatIsTurnedToTheDatabaseIsNotFollowed) {
  const std::string database = folder_.File("a.db");
  revocation::TempFolder::WriteFile(database, "{");
  auto file = DecisionFile::Open(
      {.path = path_, .max_bytes = 1000, .keep_files = 2, .kept = {{database, "the database"}}});
  ASSERT_TRUE(file.ok()) << file.status();
  std::filesystem::remove(path_);
  std::filesystem::create_symlink("a.db", path_);
  int64_t written = 0;
  EXPECT_THAT(std::string(file->Append("{}\n", written).message()), HasSubstr("is the database"));
  EXPECT_EQ(written, 0);
  EXPECT_EQ(revocation::TempFolder::ReadFile(database), "{");
}

TEST_F(DecisionFileTest, CheckMakesNothingAndWantsAFolder) {
  EXPECT_EQ(DecisionFile::Check({.path = path_}), absl::OkStatus());
  EXPECT_TRUE(folder_.Contents().empty());
  const std::string missing = folder_.File("no/d");
  EXPECT_THAT(std::string(DecisionFile::Check({.path = missing}).message()),
              HasSubstr(folder_.File("no") + ": the folder: No such file"));
  EXPECT_FALSE(DecisionFile::Open({.path = missing, .max_bytes = 1}).ok());
}

}  // namespace
}  // namespace gatehouse::frontend
