#include "server/base/read_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "server/base/held_files.h"

namespace gatehouse {
namespace {

using ::testing::HasSubstr;

constexpr char kNoFile[] = ": is no regular file, but a pipe, a socket or a device";

class ReadFileTest : public ::testing::Test {
 protected:
  ReadFileTest() : folder_(std::filesystem::temp_directory_path() / "gatehouse-read-XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~ReadFileTest() override { std::filesystem::remove_all(folder_); }

  // Nobody writes into it.
  std::string Pipe() const {
    std::string path = folder_ + "/pipe";
    EXPECT_EQ(mkfifo(path.c_str(), S_IRUSR | S_IWUSR), 0);
    return path;
  }

  std::string folder_;
};

TEST_F(ReadFileTest, APipeOrDeviceIsRefusedAtOnce) {
  for (const std::string& path : {Pipe(), std::string("/dev/zero")}) {
    const auto text = ReadSmallFile(path, 100);
    EXPECT_TRUE(absl::IsInvalidArgument(text.status())) << text.status();
    EXPECT_EQ(text.status().message(), path + kNoFile);
  }
}

TEST_F(ReadFileTest, ALinkToAFileIsRead) {
  std::ofstream(folder_ + "/file") << "text";
  std::filesystem::create_symlink("file", folder_ + "/link");
  const auto text = ReadSmallFile(folder_ + "/link", 4);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "text");
}

// Opened and closed, it would no longer be locked.
TEST_F(ReadFileTest, TheDatabaseThatThisProcessHasLockedIsNotOpened) {
  std::ofstream(folder_ + "/file") << "text";
  std::filesystem::create_symlink("file", folder_ + "/link");
  struct stat about{};
  ASSERT_EQ(stat((folder_ + "/file").c_str(), &about), 0);
  ASSERT_TRUE(HeldFiles::Get().Add(about.st_dev, about.st_ino));
  for (const char* name : {"/file", "/link"}) {
    const auto text = ReadSmallFile(folder_ + name, 4);
    EXPECT_THAT(std::string(text.status().message()), HasSubstr("is the database of revocations"));
  }
  HeldFiles::Get().Remove(about.st_dev, about.st_ino);
  EXPECT_TRUE(ReadSmallFile(folder_ + "/link", 4).ok());
}

TEST_F(ReadFileTest, APipeIsReadToItsEndWhereItMayBeOne) {
  const std::string path = Pipe();
  std::thread writer([&] { std::ofstream(path) << "text"; });
  const auto text = ReadSmallFileOrPipe(path, 100);
  writer.join();
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "text");
}

TEST_F(ReadFileTest, AFileThatOthersMayReadIsFoundThroughALinkToo) {
  const std::string path = folder_ + "/file";
  std::ofstream(path) << "s";
  std::filesystem::create_symlink(path, folder_ + "/link");
  using std::filesystem::perms;
  for (const perms open : {perms::group_write, perms::others_read}) {
    std::filesystem::permissions(path, perms::owner_read | open);
    EXPECT_TRUE(OthersMayRead(folder_ + "/link"));
  }
  std::filesystem::permissions(path, perms::owner_read | perms::owner_write | perms::group_read);
  EXPECT_FALSE(OthersMayRead(folder_ + "/link"));
  EXPECT_FALSE(OthersMayRead(folder_ + "/missing"));
}

}  // namespace
}  // namespace gatehouse
