#include "server/base/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/held_files.h"
#include "server/base/secret.h"

namespace gatehouse {
namespace {

std::string Reason(int error) { return std::generic_category().message(error); }

class File {
 public:
  File(const std::string& path, int flags)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int fd() const { return fd_; }

 private:
  const int fd_;
};

// A folder has a clear reason of its own when it is read.
bool IsFileOrFolder(int fd) {
  struct stat about{};
  return ::fstat(fd, &about) == 0 && (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode));
}

absl::StatusOr<std::string> Read(const std::string& path, size_t max_bytes, bool may_be_pipe) {
  if (path.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("the path of a file holds a NUL byte");
  }
  if (HeldFiles::Get().Has(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is the database of revocations, which nothing else may open"));
  }
  // To open a pipe without O_NONBLOCK is to wait for its writer.
  const File file(path, may_be_pipe ? 0 : O_NONBLOCK | O_NOCTTY);
  if (file.fd() < 0) {
    const int error = errno;
    if (error == ENOENT) return absl::NotFoundError(absl::StrCat(path, ": there is no such file"));
    return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be opened: ", Reason(error)));
  }
  if (!may_be_pipe && !IsFileOrFolder(file.fd())) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is no regular file, but a pipe, a socket or a device"));
  }
  std::string bytes(max_bytes + 1, '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = ::read(file.fd(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read: ", Reason(errno)));
    }
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is larger than ", max_bytes, " bytes"));
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace

absl::StatusOr<std::string> ReadSmallFile(const std::string& path, size_t max_bytes) {
  return Read(path, max_bytes, /*may_be_pipe=*/false);
}

absl::StatusOr<std::string> ReadSmallFileOrPipe(const std::string& path, size_t max_bytes) {
  return Read(path, max_bytes, /*may_be_pipe=*/true);
}

bool OthersMayRead(const std::string& path) {
  struct stat about{};
  return ::stat(path.c_str(), &about) == 0 && (about.st_mode & (S_IWGRP | S_IRWXO)) != 0;
}

bool MayBeSecret(absl::string_view name) {
  constexpr size_t kShortest = 32;
  // Padding: base64 may hold a "/".
  if (absl::EndsWith(name, "=")) return true;
  return name.size() >= kShortest && name.find_first_of("/.") == absl::string_view::npos;
}

bool HoldsDer(absl::string_view name) {
  constexpr size_t kShortest = 32;
  constexpr char kSequence = 0x30;
  if (absl::StrContains(name, "-----BEGIN")) return true;
  std::string der;
  const bool decoded = absl::Base64Unescape(name, &der);
  const Secret wiped(std::move(der));
  return decoded && wiped.size() >= kShortest && wiped.Reveal().front() == kSequence;
}

}  // namespace gatehouse
