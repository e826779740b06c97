#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>

#include "gatehouse/settings.h"
#include "server/base/mutex.h"

namespace gatehouse::client {

// This service's own token, read again when its file has changed. Thread-safe.
class TokenFile {
 public:
  // `path` may be empty: then there is no token. It has been read once, and is good.
  TokenFile(std::string path, std::function<void(const std::string&)> warn);

  // The token; the one before while the file holds none. Looks at the file once a second;
  // `now` is the clock's.
  std::string Get(int64_t now) GH_EXCLUDES(mu_);

 private:
  // What tells one state of the file from another.
  struct Seen {
    ino_t inode = 0;
    off_t size = 0;
    timespec changed{};
  };
  static Seen Look(const std::string& path);
  void Read() GH_REQUIRES(mu_);

  const std::string path_;
  const std::function<void(const std::string&)> warn_;
  Mutex mu_;
  std::string token_ GH_GUARDED_BY(mu_);
  Seen seen_ GH_GUARDED_BY(mu_);
  int64_t looked_ GH_GUARDED_BY(mu_) = 0;
  bool warned_ GH_GUARDED_BY(mu_) = false;
};

}  // namespace gatehouse::client
