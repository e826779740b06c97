#include "server/frontend/socket_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"

namespace gatehouse::frontend {
namespace {

absl::Status Cannot(const std::string& path, absl::string_view why) {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on unix:", log::Escape(path, 256), ": ", why));
}

std::string ErrnoText() { return std::generic_category().message(errno); }

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string RandomSuffix() {
  std::random_device random;
  return absl::StrFormat(".%08x", static_cast<uint32_t>(random()));
}

// Whoever looks at a folder's sockets and then changes one has this meanwhile, for
// a moment. Everybody who may read the folder could keep it: nobody waits for long.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder)
      : fd_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    constexpr int kTries = 50;
    for (int i = 0; i < kTries && fd_ >= 0; ++i) {
      if (flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  const int fd_;
};

// 0 if somebody listens there, else the error.
int Connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const bool connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  // It has too many waiting.
  const int error = connected || errno == EAGAIN ? 0 : errno;
  close(fd);
  return error;
}

// Whether nothing is lost if the path gets another socket.
absl::Status LookAt(const std::string& path) {
  struct stat found{};
  if (lstat(path.c_str(), &found) != 0) {
    return errno == ENOENT ? absl::OkStatus() : Cannot(path, ErrnoText());
  }
  if (!S_ISSOCK(found.st_mode)) {
    return Cannot(path,
                  "there is something else than a socket; take it away, or name another path");
  }
  if (found.st_uid != geteuid()) {
    return Cannot(path, absl::StrCat("the socket there belongs to the user with the id ",
                                     found.st_uid, "; name another path"));
  }
  switch (const int error = Connect(path)) {
    case ECONNREFUSED:  // left behind
    case ENOENT:        // gone meanwhile
      return absl::OkStatus();
    case 0:
      return Cannot(path, "another server is running and listens there");
    default:
      return Cannot(path, absl::StrCat("whether another server listens there cannot be told: ",
                                       std::generic_category().message(error)));
  }
}

}  // namespace

SocketFile::SocketFile(std::string path)
    : path_(std::move(path)), folder_(FolderOf(path_)), bound_(path_ + RandomSuffix()) {}

absl::Status SocketFile::Check() const {
  struct stat folder{};
  if (stat(folder_.c_str(), &folder) != 0) {
    return Cannot(path_, absl::StrCat("its folder: ", ErrnoText(), "; make it first"));
  }
  if (!S_ISDIR(folder.st_mode)) return Cannot(path_, "its folder is none");
  if (access(folder_.c_str(), W_OK | X_OK) != 0) {
    return Cannot(path_, absl::StrCat("its folder: ", ErrnoText()));
  }
  return LookAt(path_);
}

absl::Status SocketFile::Publish() {
  absl::Status status = Move();
  if (!status.ok()) unlink(bound_.c_str());
  return status;
}

absl::Status SocketFile::Move() {
  if (chmod(bound_.c_str(), S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP) != 0) {
    return Cannot(path_, ErrnoText());
  }
  struct stat made{};
  if (lstat(bound_.c_str(), &made) != 0) return Cannot(path_, ErrnoText());
  const FolderLock lock(folder_);
  GH_RETURN_IF_ERROR(LookAt(path_));
  if (rename(bound_.c_str(), path_.c_str()) != 0) return Cannot(path_, ErrnoText());
  published_ = {made.st_dev, made.st_ino};
  return absl::OkStatus();
}

void SocketFile::Remove() {
  if (!published_.has_value()) return;
  const FolderLock lock(folder_);
  struct stat found{};
  if (lstat(path_.c_str(), &found) == 0 && published_->first == found.st_dev &&
      published_->second == found.st_ino) {
    unlink(path_.c_str());
  }
  published_.reset();
}

}  // namespace gatehouse::frontend
