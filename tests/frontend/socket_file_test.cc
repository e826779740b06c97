#include "server/frontend/socket_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/config/endpoint.h"

namespace gatehouse::frontend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Somebody who listens at a path.
class Listener {
 public:
  explicit Listener(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_, 1), 0);
  }
  // As a process that is killed: the file stays.
  ~Listener() { close(fd_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  const int fd_;
};

class SocketFileTest : public ::testing::Test {
 protected:
  SocketFileTest() {
    std::string name =
        (std::filesystem::temp_directory_path() / "gatehouse-socket-test-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/g";
  }
  ~SocketFileTest() override { std::filesystem::remove_all(folder_); }

  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string folder_;
  std::string path_;
};

TEST_F(SocketFileTest, IsFoundByOwnerAndGroupFromPublishToRemove) {
  SocketFile file(path_);
  EXPECT_TRUE(file.Check().ok());
  const Listener listener(file.bound());
  EXPECT_TRUE(file.Publish().ok());
  EXPECT_THAT(Files(), ElementsAre("g"));
  struct stat found{};
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & ALLPERMS, 0660U);
  file.Remove();
  EXPECT_THAT(Files(), IsEmpty());
  file.Remove();
}

TEST_F(SocketFileTest, IsRemovedWithItsOwner) {
  {
    SocketFile file(path_);
    const Listener listener(file.bound());
    EXPECT_TRUE(file.Publish().ok());
  }
  EXPECT_THAT(Files(), IsEmpty());
}

// It is bound under a longer name first.
TEST_F(SocketFileTest, TheLongestPathThatAConfigurationMayNameIsServed) {
  path_ = folder_ + "/";
  path_.resize(98, 'a');
  ASSERT_TRUE(config::ParseSocketEndpoint("unix:" + path_).ok());
  ASSERT_FALSE(config::ParseSocketEndpoint("unix:" + path_ + "a").ok());
  SocketFile file(path_);
  ASSERT_LT(file.bound().size(), sizeof(sockaddr_un::sun_path));
  const Listener listener(file.bound());
  EXPECT_TRUE(file.Publish().ok());
}

TEST_F(SocketFileTest, ReplacesWhatWasLeftBehindOnly) {
  {
    const Listener dead(path_);
  }
  EXPECT_THAT(Files(), ElementsAre("g"));
  SocketFile file(path_);
  EXPECT_TRUE(file.Check().ok());
  const Listener listener(file.bound());
  EXPECT_TRUE(file.Publish().ok());
  SocketFile second(path_);
  EXPECT_EQ(second.Check().code(), absl::StatusCode::kUnavailable);
  const Listener other(second.bound());
  const absl::Status refused = second.Publish();
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("cannot listen on unix:" + path_ + ": another server is running"));
  EXPECT_THAT(Files(), ElementsAre("g"));
  second.Remove();
  EXPECT_THAT(Files(), ElementsAre("g"));
}

TEST_F(SocketFileTest, OfAServerWithoutARoomForMoreIsNotReplaced) {
  const Listener busy(path_);
  // Each look takes a place among those that wait to be accepted.
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(SocketFile(path_).Check().ok()) << i;
}

TEST_F(SocketFileTest, LeavesWhatAnotherHasPutThereSince) {
  SocketFile file(path_);
  const Listener listener(file.bound());
  EXPECT_TRUE(file.Publish().ok());
  unlink(path_.c_str());
  const Listener other(path_);
  file.Remove();
  EXPECT_THAT(Files(), ElementsAre("g"));
}

TEST_F(SocketFileTest, WhatIsNoSocketIsLeft) {
  std::ofstream(path_) << "precious";
  SocketFile file(path_);
  EXPECT_FALSE(file.Check().ok());
  const Listener listener(file.bound());
  EXPECT_THAT(std::string(file.Publish().message()), HasSubstr("something else than a socket"));
  EXPECT_THAT(Files(), ElementsAre("g"));
  EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

TEST_F(SocketFileTest, NeedsAFolder) {
  EXPECT_THAT(std::string(SocketFile(folder_ + "/none/g").Check().message()),
              HasSubstr("/none/g: its folder: No such file"));
  std::ofstream(folder_ + "/file") << "";
  EXPECT_FALSE(SocketFile(folder_ + "/file/g").Check().ok());
}

TEST_F(SocketFileTest, NobodyWaitsForLongForWhoHasLockedTheFolder) {
  const int lock = open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  SocketFile file(path_);
  const Listener listener(file.bound());
  EXPECT_TRUE(file.Publish().ok());
  file.Remove();
  EXPECT_THAT(Files(), IsEmpty());
  close(lock);
}

// Of many that find a dead server's socket at once, one alone takes its place.
TEST_F(SocketFileTest, IsGivenToOneOfMany) {
  for (int round = 0; round < 50; ++round) {
    {
      const Listener dead(path_);
    }
    constexpr size_t kMany = 8;
    std::vector<std::unique_ptr<SocketFile>> files;
    std::vector<std::unique_ptr<Listener>> listeners;
    std::vector<char> published(kMany, 0);
    for (size_t i = 0; i < kMany; ++i) {
      files.push_back(std::make_unique<SocketFile>(path_));
      listeners.push_back(std::make_unique<Listener>(files.back()->bound()));
    }
    std::vector<std::thread> threads;
    threads.reserve(kMany);
    for (size_t i = 0; i < kMany; ++i) {
      threads.emplace_back([&, i] { published[i] = files[i]->Publish().ok() ? 1 : 0; });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(std::count(published.begin(), published.end(), 1), 1);
    EXPECT_THAT(Files(), ElementsAre("g"));
    files.clear();
    EXPECT_THAT(Files(), IsEmpty());
  }
}

}  // namespace
}  // namespace gatehouse::frontend
