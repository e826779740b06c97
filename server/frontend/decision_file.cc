#include "server/frontend/decision_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/config/kept_files.h"

namespace gatehouse::frontend {
namespace {

absl::Status Failed(absl::string_view path, absl::string_view what, int error) {
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": ", what, ": ", std::generic_category().message(error)));
}

absl::Status NoFile(absl::string_view path) {
  return absl::FailedPreconditionError(absl::StrCat(path, ": is not a file"));
}

// To be asked before anything is opened.
absl::Status IsOfNobodyElse(const DecisionFile::Options& options) {
  const config::KeptFile* const other = config::FindSame(options.path, options.kept);
  if (other == nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(options.path, ": is ", other->what, ", and is left alone"));
}

// Whether what `fd` holds may be appended to.
absl::Status BeginsAsLog(absl::string_view path, int fd) {
  char first = 0;
  const ssize_t n = pread(fd, &first, 1, 0);
  if (n < 0) return Failed(path, "cannot be read", errno);
  if (n == 0 || first == '{') return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": is no decision log: it does not begin with {"));
}

// The whole lines at the start of `lines` that fit into `room` bytes.
size_t LinesWithin(absl::string_view lines, int64_t room) {
  if (static_cast<int64_t>(lines.size()) <= room) return lines.size();
  if (room <= 0) return 0;
  const size_t end = lines.rfind('\n', static_cast<size_t>(room) - 1);
  return end == absl::string_view::npos ? 0 : end + 1;
}

}  // namespace

absl::StatusOr<DecisionFile> DecisionFile::Open(Options options) {
  DecisionFile file(std::move(options));
  GH_RETURN_IF_ERROR(file.OpenFile());
  return file;
}

absl::Status DecisionFile::Check(const Options& options) {
  const std::string& path = options.path;
  GH_RETURN_IF_ERROR(IsOfNobodyElse(options));
  struct stat found{};
  if (stat(path.c_str(), &found) == 0) {
    if (!S_ISREG(found.st_mode)) return NoFile(path);
    if (access(path.c_str(), R_OK | W_OK) != 0) return Failed(path, "cannot be written", errno);
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return Failed(path, "cannot be opened", errno);
    absl::Status begin = BeginsAsLog(path, fd);
    close(fd);
    return begin;
  }
  if (errno != ENOENT) return Failed(path, "cannot be opened", errno);
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const std::string folder = parent.empty() ? "." : parent;
  if (stat(folder.c_str(), &found) != 0) return Failed(folder, "the folder", errno);
  if (!S_ISDIR(found.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(folder, ": is not a folder"));
  }
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return Failed(folder, "nothing can be made in this folder", errno);
  }
  return absl::OkStatus();
}

DecisionFile::DecisionFile(DecisionFile&& other) noexcept
    : options_(other.options_),
      fd_(std::exchange(other.fd_, -1)),
      device_(other.device_),
      inode_(other.inode_),
      size_(other.size_),
      cut_off_(other.cut_off_) {}

DecisionFile::~DecisionFile() { Close(); }

void DecisionFile::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

absl::Status DecisionFile::OpenFile() {
  Close();
  const std::string& path = options_.path;
  GH_RETURN_IF_ERROR(IsOfNobodyElse(options_));
  struct stat found{};
  if (stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) return NoFile(path);
  constexpr int kFlags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  const int fd = open(path.c_str(), kFlags, S_IRUSR | S_IWUSR);
  if (fd < 0) return Failed(path, "cannot be opened", errno);
  fd_ = fd;
  if (fstat(fd_, &found) != 0 || !S_ISREG(found.st_mode)) {
    Close();
    return NoFile(path);
  }
  if (absl::Status begin = BeginsAsLog(path, fd_); !begin.ok()) {
    Close();
    return begin;
  }
  device_ = found.st_dev;
  inode_ = found.st_ino;
  size_ = found.st_size;
  char last = '\n';
  if (size_ > 0 && pread(fd_, &last, 1, size_ - 1) != 1) {
    Close();
    return Failed(path, "cannot be read", errno);
  }
  cut_off_ = last != '\n';
  return absl::OkStatus();
}

absl::Status DecisionFile::FollowPath() {
  if (fd_ < 0) return OpenFile();
  struct stat found{};
  const bool is_there =
      stat(options_.path.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_;
  if (!is_there) return OpenFile();
  size_ = found.st_size;
  return absl::OkStatus();
}

absl::Status DecisionFile::Rotate() {
  const std::string& path = options_.path;
  const auto name = [&](int number) {
    return number == 0 ? path : absl::StrCat(path, ".", number);
  };
  // Only those before the first gap move up: a rotation that fails half way and is tried
  // again must not push out one old file each time.
  int last = options_.keep_files;
  for (int i = 1; i < options_.keep_files; ++i) {
    if (access(name(i).c_str(), F_OK) == 0) continue;
    last = i;
    break;
  }
  if (options_.keep_files == 0 && unlink(path.c_str()) != 0) {
    return Failed(path, "cannot be removed", errno);
  }
  for (int i = last; i > 0; --i) {
    if (rename(name(i - 1).c_str(), name(i).c_str()) != 0) {
      return Failed(name(i - 1), absl::StrCat("cannot be renamed to ", name(i)), errno);
    }
  }
  return OpenFile();
}

absl::Status DecisionFile::Write(absl::string_view text, size_t& taken) {
  taken = 0;
  while (taken < text.size()) {
    const ssize_t n = write(fd_, text.data() + taken, text.size() - taken);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Failed(options_.path, "cannot be written", n < 0 ? errno : ENOSPC);
    taken += static_cast<size_t>(n);
    size_ += n;
  }
  return absl::OkStatus();
}

absl::Status DecisionFile::Append(absl::string_view lines, int64_t& written) {
  written = 0;
  while (!lines.empty()) {
    GH_RETURN_IF_ERROR(FollowPath());
    size_t taken = 0;
    if (cut_off_) {
      GH_RETURN_IF_ERROR(Write("\n", taken));
      cut_off_ = false;
    }
    size_t fitting = LinesWithin(lines, options_.max_bytes - size_);
    if (fitting == 0 && size_ > 0) {
      GH_RETURN_IF_ERROR(Rotate());
      fitting = LinesWithin(lines, options_.max_bytes);
    }
    if (fitting == 0) fitting = lines.find('\n') + 1;
    const absl::Status status = Write(lines.substr(0, fitting), taken);
    written += std::count(lines.begin(), lines.begin() + taken, '\n');
    if (!status.ok()) {
      cut_off_ = taken > 0 && lines[taken - 1] != '\n';
      return status;
    }
    lines.remove_prefix(fitting);
  }
  return absl::OkStatus();
}

}  // namespace gatehouse::frontend
