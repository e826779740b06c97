#include "server/keys/key_copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/status_macros.h"
#include "server/jose/openssl.h"

namespace gatehouse::keys {
namespace {

// The first line is followed by the hash of all that follows it.
constexpr absl::string_view kFirstLine = "gatehouse key copy 1\n";
constexpr size_t kMaxBytes = size_t{1024} * 1024;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  bool Close() {
    const int fd = fd_;
    fd_ = -1;
    return fd < 0 || ::close(fd) == 0;
  }

 private:
  int fd_;
};

absl::Status SystemError(const std::string& path, absl::string_view what) {
  return absl::UnavailableError(
      absl::StrCat(path, ": ", what, ": ", std::generic_category().message(errno)));
}

absl::Status Bad(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

std::string HashOf(absl::string_view bytes) {
  const auto hash = jose::Sha256(bytes);
  return absl::BytesToHexString({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

// "<size> <bytes>\n", so that a part may hold anything.
void AppendPart(std::string& out, absl::string_view part) {
  absl::StrAppend(&out, part.size(), " ", part, "\n");
}

bool ConsumePart(absl::string_view& in, std::string& part) {
  const size_t space = in.substr(0, 10).find(' ');
  size_t size = 0;
  if (space == absl::string_view::npos || !absl::SimpleAtoi(in.substr(0, space), &size)) {
    return false;
  }
  in.remove_prefix(space + 1);
  if (in.size() <= size || in[size] != '\n') return false;
  part = std::string(in.substr(0, size));
  in.remove_prefix(size + 1);
  return true;
}

std::string Encode(const KeyCopy& copy) {
  std::string rest;
  AppendPart(rest, copy.issuer);
  AppendPart(rest, copy.url);
  AppendPart(rest, absl::StrCat(absl::ToUnixSeconds(copy.fetched)));
  AppendPart(rest, copy.jwks);
  return absl::StrCat(kFirstLine, HashOf(rest), "\n", rest);
}

bool Decode(absl::string_view text, KeyCopy& copy) {
  constexpr size_t kHashChars = 64;
  if (!absl::ConsumePrefix(&text, kFirstLine) || text.size() <= kHashChars ||
      text[kHashChars] != '\n') {
    return false;
  }
  const absl::string_view hash = text.substr(0, kHashChars);
  absl::string_view rest = text.substr(kHashChars + 1);
  std::string fetched;
  int64_t seconds = 0;
  if (hash != HashOf(rest) || !ConsumePart(rest, copy.issuer) || !ConsumePart(rest, copy.url) ||
      !ConsumePart(rest, fetched) || !ConsumePart(rest, copy.jwks) || !rest.empty() ||
      !absl::SimpleAtoi(fetched, &seconds)) {
    return false;
  }
  copy.fetched = absl::FromUnixSeconds(seconds);
  return true;
}

bool WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

absl::Status SyncFolder(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) return SystemError(folder, "cannot be synced");
  return absl::OkStatus();
}

}  // namespace

std::string KeyCopyPath(const std::string& folder, absl::string_view issuer) {
  const std::string name = absl::StrCat("keys-", HashOf(issuer).substr(0, 32), ".copy");
  return (std::filesystem::path(folder) / name).string();
}

absl::Status WriteKeyCopy(const std::string& path, const KeyCopy& copy) {
  const std::string text = Encode(copy);
  if (text.size() > kMaxBytes) return Bad(path, "the copy would be too large");
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());  // one that a crash has left
  Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                       S_IRUSR | S_IWUSR));
  if (fd.get() < 0) return SystemError(temporary, "cannot be made");
  if (!WriteAll(fd.get(), text) || ::fsync(fd.get()) != 0 || !fd.Close()) {
    const absl::Status failed = SystemError(temporary, "cannot be written");
    ::unlink(temporary.c_str());
    return failed;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const absl::Status failed = SystemError(path, "cannot be replaced");
    ::unlink(temporary.c_str());
    return failed;
  }
  return SyncFolder(path);
}

absl::Status RemoveKeyCopy(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return SyncFolder(path);
  if (errno == ENOENT) return absl::OkStatus();
  return SystemError(path, "cannot be removed");
}

absl::StatusOr<KeyCopy> ReadKeyCopy(const std::string& path) {
  // Non-blocking: a pipe that somebody put there must not hold the start.
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd.get() < 0) {
    if (errno == ENOENT) return absl::NotFoundError(absl::StrCat(path, ": there is no such file"));
    if (errno == ELOOP) return Bad(path, "is a symbolic link");
    return Bad(path, absl::StrCat("cannot be opened: ", std::generic_category().message(errno)));
  }
  struct stat about{};
  if (::fstat(fd.get(), &about) != 0 || !S_ISREG(about.st_mode)) return Bad(path, "is no file");
  if (about.st_uid != ::geteuid()) return Bad(path, "belongs to another user");
  if ((about.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Bad(path, "may be written by its group or by others");
  }
  if (about.st_size < 0 || static_cast<size_t>(about.st_size) > kMaxBytes) {
    return Bad(path, "is too large");
  }
  std::string text(static_cast<size_t>(about.st_size), '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<size_t>(got);
  }
  KeyCopy copy;
  if (size != text.size() || !Decode(text, copy)) return Bad(path, "is damaged");
  return copy;
}

}  // namespace gatehouse::keys
