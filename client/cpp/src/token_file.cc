#include "client/cpp/src/token_file.h"

#include <utility>

#include "client/cpp/src/clock.h"
#include "client/cpp/src/settings_check.h"

namespace gatehouse::client {

TokenFile::TokenFile(std::string path, std::function<void(const std::string&)> warn)
    : path_(std::move(path)), warn_(std::move(warn)) {
  MutexLock lock(mu_);
  if (path_.empty()) return;
  seen_ = Look(path_);
  Read();
}

TokenFile::Seen TokenFile::Look(const std::string& path) {
  struct stat found{};
  if (stat(path.c_str(), &found) != 0) return {};
  return {found.st_ino, found.st_size, found.st_mtim};
}

void TokenFile::Read() {
  const Result<std::string> bytes = ReadFile(path_);
  Result<std::string> token = bytes.ok() ? SecretIn(*bytes, path_) : bytes;
  if (token.ok()) {
    token_ = *std::move(token);
    warned_ = false;
  } else if (!std::exchange(warned_, true)) {
    warn_(
        "token_file (GATEHOUSE_TOKEN_FILE) has changed and cannot be used; the token that it "
        "held before still is: " +
        token.error().message);
  }
}

std::string TokenFile::Get(int64_t now) {
  MutexLock lock(mu_);
  if (path_.empty() || now - looked_ < kSecond) return token_;
  looked_ = now;
  const Seen seen = Look(path_);
  const bool same = seen.inode == seen_.inode && seen.size == seen_.size &&
                    seen.changed.tv_sec == seen_.changed.tv_sec &&
                    seen.changed.tv_nsec == seen_.changed.tv_nsec;
  // One that could not be read is looked at again: it may have been half-written.
  if (!same || warned_) {
    seen_ = seen;
    Read();
  }
  return token_;
}

}  // namespace gatehouse::client
