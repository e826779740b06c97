#include "server/base/file_watch.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace gatehouse {
namespace {

namespace fs = std::filesystem;
using Look = FileWatch::Look;

class FileWatchTest : public ::testing::Test {
 protected:
  FileWatchTest() {
    std::string name = fs::temp_directory_path() / "gatehouse-watch-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~FileWatchTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ / name; }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return Path(name);
  }
  // As editors and `mv` do: at no moment is there half a file.
  void Replace(const std::string& name, const std::string& text) const {
    fs::rename(Write("." + name + ".new", text), Path(name));
  }
  static void ExpectChangedOnce(FileWatch& watch) {
    EXPECT_EQ(watch.LookAgain(), Look::kChanging);
    EXPECT_EQ(watch.LookAgain(), Look::kChanged);
    EXPECT_EQ(watch.LookAgain(), Look::kSame);
  }

  fs::path folder_;
};

TEST_F(FileWatchTest, WhatStaysAsItWasIsTheSame) {
  FileWatch watch({Write("a", "1")});
  EXPECT_EQ(watch.LookAgain(), Look::kSame);
  EXPECT_EQ(watch.LookAgain(), Look::kSame);
}

TEST_F(FileWatchTest, AChangeIsToldOnceWhenTwoLooksAgree) {
  FileWatch watch({Write("a", "1")});
  Replace("a", "2");
  ExpectChangedOnce(watch);
}

TEST_F(FileWatchTest, AFileThatIsBeingWrittenIsNotTold) {
  FileWatch watch({Write("a", "1")});
  std::string text = "22";
  for (int i = 0; i < 5; ++i) {
    Write("a", text += "2");
    EXPECT_EQ(watch.LookAgain(), Look::kChanging);
  }
  EXPECT_EQ(watch.LookAgain(), Look::kChanged);
}

TEST_F(FileWatchTest, AnEqualSizeAndModificationTimeHideNoChange) {
  const std::string path = Write("a", "1");
  const fs::file_time_type time = fs::last_write_time(path);
  FileWatch watch({path});
  Replace("a", "2");
  fs::last_write_time(path, time);
  ExpectChangedOnce(watch);
}

TEST_F(FileWatchTest, ALinkThatIsTurnedElsewhereIsAChange) {
  // As Kubernetes mounts a ConfigMap: file -> ..data/file, and ..data is turned.
  fs::create_directory(folder_ / "..1");
  fs::create_directory(folder_ / "..2");
  Write("..1/a", "1");
  Write("..2/a", "1");
  fs::create_directory_symlink("..1", folder_ / "..data");
  fs::create_symlink("..data/a", folder_ / "a");
  FileWatch one({Path("a")});
  FileWatch all({folder_});
  fs::create_directory_symlink("..2", folder_ / "..data_tmp");
  fs::rename(folder_ / "..data_tmp", folder_ / "..data");
  ExpectChangedOnce(one);
  ExpectChangedOnce(all);
}

TEST_F(FileWatchTest, AFileThatVanishesIsAChangeAndHidesNoOther) {
  FileWatch watch({Write("a", "1"), Write("b", "1")});
  EXPECT_TRUE(watch.Found(Path("a")));
  fs::remove(Path("a"));
  ExpectChangedOnce(watch);
  EXPECT_FALSE(watch.Found(Path("a")));
  EXPECT_TRUE(watch.Found(Path("b")));
  Replace("b", "2");
  ExpectChangedOnce(watch);
  Write("a", "1");
  ExpectChangedOnce(watch);
  EXPECT_TRUE(watch.Found(Path("a")));
  EXPECT_FALSE(watch.Found(Path("c")));
}

TEST_F(FileWatchTest, AFileThatIsMissingForALookIsBeingReplaced) {
  FileWatch watch({Write("a", "1")});
  fs::remove(Path("a"));
  EXPECT_EQ(watch.LookAgain(), Look::kChanging);
  Write("a", "2");
  ExpectChangedOnce(watch);
}

TEST_F(FileWatchTest, AFileThatAppearsIsAChange) {
  FileWatch watch({Path("a")});
  EXPECT_EQ(watch.LookAgain(), Look::kSame);
  Write("a", "1");
  ExpectChangedOnce(watch);
}

TEST_F(FileWatchTest, FilesOfAFolderComeAndGoAndHiddenOnesDoNotCount) {
  Write("a", "1");
  FileWatch watch({folder_, Path("a")});
  Write(".a.swp", "1");
  EXPECT_EQ(watch.LookAgain(), Look::kSame);
  Write("b", "1");
  ExpectChangedOnce(watch);
  Write("b", "22");
  ExpectChangedOnce(watch);
  fs::remove(Path("b"));
  fs::remove(Path("a"));
  ExpectChangedOnce(watch);
}

TEST_F(FileWatchTest, SettledIsWhatIsAboutToBeRead) {
  FileWatch watch({Write("a", "1")});
  Replace("a", "2");
  EXPECT_EQ(watch.LookAgain(), Look::kChanging);
  watch.Settle();
  EXPECT_EQ(watch.LookAgain(), Look::kSame);
}

TEST_F(FileWatchTest, FollowKeepsWhatItKnowsAndTellsOfNewPaths) {
  FileWatch watch({Write("a", "1"), Write("b", "1")});
  Replace("a", "2");
  Replace("b", "2");
  EXPECT_TRUE(watch.Follow({Path("a"), Write("c", "1")}));
  EXPECT_FALSE(watch.Follow({Path("c"), Path("a"), Path("a")}));
  ExpectChangedOnce(watch);  // of a: c is as it was met
  EXPECT_FALSE(watch.Follow({Path("c")}));
  EXPECT_EQ(watch.LookAgain(), Look::kSame);
}

}  // namespace
}  // namespace gatehouse
