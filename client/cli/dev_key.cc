#include "client/cli/dev_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "client/cli/output.h"
#include "server/base/read_file.h"
#include "server/base/secret.h"
#include "server/base/status_macros.h"

namespace gatehouse::cli {
namespace {

constexpr size_t kMaxKeyBytes = size_t{64} * 1024;

absl::Status FileError(absl::string_view what, const std::string& path) {
  return absl::FailedPreconditionError(absl::StrCat("cannot ", what, " ", Printable(path), ": ",
                                                    std::generic_category().message(errno)));
}

bool Exists(const std::string& path) {
  struct stat found;
  return lstat(path.c_str(), &found) == 0;
}

bool WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t put = write(fd, text.data(), text.size());
    if (put < 0 && errno != EINTR) return false;
    if (put > 0) text.remove_prefix(static_cast<size_t>(put));
  }
  return fsync(fd) == 0;
}

absl::Status WriteNew(const std::string& path, mode_t mode, absl::string_view text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return FileError("make", path);
  const bool written = WriteAll(fd, text);
  const absl::Status status = written ? absl::OkStatus() : FileError("write", path);
  close(fd);
  if (!written) unlink(path.c_str());
  return status;
}

}  // namespace

absl::StatusOr<jose::SigningKey> LoadKey(const std::string& private_path) {
  absl::StatusOr<std::string> bytes = ReadSmallFile(private_path, kMaxKeyBytes);
  if (!bytes.ok()) {
    const bool missing = absl::IsNotFound(bytes.status());
    return absl::Status(bytes.status().code(),
                        absl::StrCat("the private key ", Printable(bytes.status().message()),
                                     missing ? "\nMake one with --create-key." : ""));
  }
  absl::StatusOr<jose::SigningKey> key = jose::SigningKey::FromPem(Secret(*std::move(bytes)));
  if (!key.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(Printable(private_path), ": ", key.status().message()));
  }
  return key;
}

absl::Status CreateKey(const std::string& private_path, const std::string& jwks_path) {
  for (const std::string& path : {private_path, jwks_path}) {
    if (Exists(path)) {
      return absl::AlreadyExistsError(
          absl::StrCat(Printable(path),
                       " is there already, and nothing was changed. For a new key "
                       "move both ",
                       Printable(private_path), " and ", Printable(jwks_path), " away first."));
    }
  }
  GH_ASSIGN_OR_RETURN(const jose::SigningKey key, jose::SigningKey::Generate());
  GH_ASSIGN_OR_RETURN(const Secret pem, key.ToPem());
  GH_RETURN_IF_ERROR(WriteNew(private_path, 0600, pem.Reveal()));
  const absl::Status published = WriteNew(jwks_path, 0644, key.PublicJwks());
  if (!published.ok()) unlink(private_path.c_str());
  return published;
}

}  // namespace gatehouse::cli
