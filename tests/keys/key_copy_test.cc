#include "server/keys/key_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace gatehouse::keys {
namespace {

using std::filesystem::perms;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class KeyCopyTest : public ::testing::Test {
 protected:
  KeyCopyTest() : folder_(::testing::TempDir() + "gatehouse_copy_XXXXXX") {
    if (mkdtemp(folder_.data()) == nullptr) std::abort();
    path_ = KeyCopyPath(folder_, "https://issuer.example");
  }
  ~KeyCopyTest() override { std::filesystem::remove_all(folder_); }

  std::string Bytes() const {
    std::stringstream bytes;
    bytes << std::ifstream(path_, std::ios::binary).rdbuf();
    return bytes.str();
  }
  void Replace(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  std::string ErrorOfReading() const {
    const auto copy = ReadKeyCopy(path_);
    if (copy.ok()) return "was read";
    EXPECT_TRUE(absl::IsInvalidArgument(copy.status())) << copy.status();
    EXPECT_THAT(std::string(copy.status().message()), StartsWith(path_ + ": "));
    return std::string(copy.status().message());
  }

  std::string folder_;
  std::string path_;
  const KeyCopy copy_{"https://issuer.example", "https://issuer.example/jwks?a=b\n1 2",
                      absl::FromUnixSeconds(1'795'216'315), std::string("{\"keys\":[]}\n\0", 13)};
};

TEST_F(KeyCopyTest, WhatIsWrittenIsRead) {
  ASSERT_TRUE(WriteKeyCopy(path_, {"before", "b", absl::UnixEpoch(), ""}).ok());
  ASSERT_TRUE(WriteKeyCopy(path_, copy_).ok());
  const auto read = ReadKeyCopy(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->issuer, copy_.issuer);
  EXPECT_EQ(read->url, copy_.url);
  EXPECT_EQ(read->fetched, copy_.fetched);
  EXPECT_EQ(read->jwks, copy_.jwks);
  EXPECT_EQ(std::filesystem::status(path_).permissions(), perms::owner_read | perms::owner_write);
}

TEST_F(KeyCopyTest, EachIssuerHasAFileOfItsOwnInTheFolder) {
  EXPECT_NE(KeyCopyPath(folder_, "a"), KeyCopyPath(folder_, "b"));
  EXPECT_EQ(std::filesystem::path(KeyCopyPath(folder_, "../../etc/passwd")).parent_path(), folder_);
}

TEST_F(KeyCopyTest, OneThatIsMissingIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(ReadKeyCopy(path_).status()));
}

TEST_F(KeyCopyTest, EveryCutAndEveryChangedByteIsDamage) {
  ASSERT_TRUE(WriteKeyCopy(path_, copy_).ok());
  const std::string good = Bytes();
  for (size_t i = 0; i < good.size(); ++i) {
    Replace(good.substr(0, i));
    ASSERT_THAT(ErrorOfReading(), HasSubstr("is damaged")) << i;
    std::string changed = good;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    Replace(changed);
    ASSERT_THAT(ErrorOfReading(), HasSubstr("is damaged")) << i;
  }
  Replace(good + "x");
  EXPECT_THAT(ErrorOfReading(), HasSubstr("is damaged"));
  Replace(good);
  EXPECT_EQ(ErrorOfReading(), "was read");
}

TEST_F(KeyCopyTest, WhatOthersCouldHaveWrittenIsNotTrusted) {
  ASSERT_TRUE(WriteKeyCopy(path_, copy_).ok());
  for (const perms open : {perms::group_write, perms::others_write}) {
    std::filesystem::permissions(path_, perms::owner_read | open);
    EXPECT_THAT(ErrorOfReading(), HasSubstr("may be written by its group or by others"));
  }
  std::filesystem::permissions(path_, perms::owner_read | perms::group_read | perms::others_read);
  EXPECT_EQ(ErrorOfReading(), "was read");
}

TEST_F(KeyCopyTest, ALinkAFolderAndAPipeAreNoCopies) {
  ASSERT_TRUE(WriteKeyCopy(folder_ + "/target", copy_).ok());
  std::filesystem::create_symlink(folder_ + "/target", path_);
  EXPECT_THAT(ErrorOfReading(), HasSubstr("is a symbolic link"));
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  EXPECT_THAT(ErrorOfReading(), HasSubstr("is no file"));
  std::filesystem::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(ErrorOfReading(), HasSubstr("is no file"));
}

TEST_F(KeyCopyTest, ALinkInThePlaceOfACopyIsReplacedAndNotFollowed) {
  std::ofstream(folder_ + "/victim") << "untouched";
  std::filesystem::create_symlink(folder_ + "/victim", path_);
  std::filesystem::create_symlink(folder_ + "/victim", path_ + ".new");
  ASSERT_TRUE(WriteKeyCopy(path_, copy_).ok());
  EXPECT_EQ(ErrorOfReading(), "was read");
  EXPECT_EQ(std::filesystem::file_size(folder_ + "/victim"), 9U);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

TEST_F(KeyCopyTest, AFolderThatIsMissingIsNamed) {
  const absl::Status status = WriteKeyCopy(folder_ + "/missing/copy", copy_);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(folder_ + "/missing/copy"));
}

}  // namespace
}  // namespace gatehouse::keys
