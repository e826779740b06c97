#include "server/revocation/sqlite_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/held_files.h"
#include "server/base/status_macros.h"
#include "server/revocation/sqlite_mark.h"
#include "server/revocation/sqlite_schema.h"

namespace gatehouse::revocation {
namespace {

// SQLite's file format, https://www.sqlite.org/fileformat2.html, section 1.3.
constexpr size_t kHeaderSize = 100;
constexpr absl::string_view kMagic("SQLite format 3\0", 16);
constexpr size_t kUserVersionOffset = 60;
constexpr size_t kApplicationIdOffset = 68;
// Its lock bytes: pending, reserved and 510 shared ones.
constexpr off_t kFirstLockByte = 0x40000000;
constexpr off_t kLockBytes = 512;

std::string ErrnoText() { return std::generic_category().message(errno); }

absl::Status Missing(const std::string& path) {
  const std::string folder = FolderOf(path);
  struct stat info;
  if (stat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return absl::NotFoundError(absl::StrCat("the folder ", folder, " of the database ", path,
                                            " does not exist: make it, then create the database "
                                            "with ",
                                            kCreateCommand));
  }
  return absl::NotFoundError(absl::StrCat(
      "the database ", path, " does not exist, and a new one would let every revoked token pass: ",
      "if this is the first start, create it with ", kCreateCommand, "; otherwise put it back"));
}

absl::Status NoAccess(const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat(path, " cannot be opened for writing: ", ErrnoText(),
                   ". Let this program's user write the file and its folder"));
}

uint32_t BigEndian32(const uint8_t* at) {
  return static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1]) << 16 |
         static_cast<uint32_t>(at[2]) << 8 | static_cast<uint32_t>(at[3]);
}

}  // namespace

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status CheckSqliteHeader(int fd, const std::string& path, Purpose purpose) {
  std::array<uint8_t, kHeaderSize> header;
  const ssize_t got = pread(fd, header.data(), header.size(), 0);
  if (got < 0) {
    return absl::FailedPreconditionError(absl::StrCat(path, " cannot be read: ", ErrnoText()));
  }
  if (static_cast<size_t>(got) < kHeaderSize ||
      std::memcmp(header.data(), kMagic.data(), kMagic.size()) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, got == 0 ? " is empty" : " is no SQLite database", ", or a destroyed one: it is ",
        "left as it is; put back a good copy, or name another file and create it with ",
        kCreateCommand));
  }
  const uint32_t user_version = BigEndian32(header.data() + kUserVersionOffset);
  GH_RETURN_IF_ERROR(
      CheckIdentity(path, BigEndian32(header.data() + kApplicationIdOffset), user_version));
  if (purpose == Purpose::kOpen) GH_RETURN_IF_ERROR(CheckNoBackup(path, user_version));
  return CheckWalOfMarked(path, user_version);
}

absl::StatusOr<std::unique_ptr<SqliteFile>> SqliteFile::Claim(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return absl::FailedPreconditionError("the database's path is empty or holds a zero byte");
  }
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    return errno == ENOENT || errno == ENOTDIR ? Missing(path) : NoAccess(path);
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, S_ISDIR(info.st_mode) ? " is a folder" : " is not a regular file",
                     ", not a database: name a file in `revocations.sqlite.path`, and create it "
                     "with ",
                     kCreateCommand));
  }
  if (!HeldFiles::Get().Add(info.st_dev, info.st_ino)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is in use by this very process (",
                                                      getpid(), "): it can be opened only once"));
  }
  // Absolute, since "file:..." and ":memory:" have a meaning of their own to SQLite;
  // without links, since the -wal file lies beside what they point to.
  std::string absolute = path;
  if (char* const resolved = realpath(path.c_str(), nullptr)) {
    absolute = resolved;
    std::free(resolved);
  }
  std::unique_ptr<SqliteFile> file(new SqliteFile(absolute, info.st_dev, info.st_ino));
  GH_RETURN_IF_ERROR(file->OpenAndCheck());
  return file;
}

SqliteFile::~SqliteFile() {
  if (fd_ >= 0) close(fd_);
  HeldFiles::Get().Remove(device_, inode_);
}

absl::Status SqliteFile::OpenAndCheck() {
  fd_ = open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0) return NoAccess(path_);
  struct stat info;
  if (fstat(fd_, &info) != 0) return NoAccess(path_);
  if (info.st_dev != device_ || info.st_ino != inode_) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_, " was replaced while it was opened: try again"));
  }
  // In this order: whoever has it open now may close it, and remove its -wal file.
  GH_RETURN_IF_ERROR(CheckUnlocked());
  GH_RETURN_IF_ERROR(CheckSqliteHeader(fd_, path_, Purpose::kOpen));
  // The -wal file is made and removed beside it.
  if (faccessat(AT_FDCWD, FolderOf(path_).c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    return NoAccess(path_);
  }
  return absl::OkStatus();
}

pid_t SqliteFile::LockHolder() const {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = kFirstLockByte;
  lock.l_len = kLockBytes;
  if (fcntl(fd_, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return 0;
  // 0 when the process lies in another container.
  return lock.l_pid > 0 ? lock.l_pid : -1;
}

absl::Status SqliteFile::CheckUnlocked() const {
  return LockHolder() == 0 ? absl::OkStatus() : InUse();
}

absl::Status SqliteFile::InUse() const {
  const pid_t holder = LockHolder();
  return absl::FailedPreconditionError(absl::StrCat(
      path_, " is in use by ",
      holder > 0 ? absl::StrCat("process ", holder)
                 : std::string("another process (of another container, or gone by now)"),
      ": only one may have it open; stop that one first"));
}

}  // namespace gatehouse::revocation
