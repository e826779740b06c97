#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace gatehouse::frontend {

// The name under which a server's Unix socket is found. gRPC takes away whatever socket
// bears the name that it binds, that of a living server too, and once more when it ends. So it
// binds under a name that nobody has, and the socket is moved to its own when that is free.
// One thread at a time.
class SocketFile {
 public:
  // `path`: absolute, 98 bytes at most.
  explicit SocketFile(std::string path);
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  // As Remove.
  ~SocketFile() { Remove(); }

  // What is to be bound.
  const std::string& bound() const { return bound_; }

  // Whether Publish can succeed. UNAVAILABLE if not, naming the path: its folder is missing,
  // it is no socket, or one of another user, or somebody listens on it.
  absl::Status Check() const;

  // What was bound, and listens by now, is reached under the path, by owner and group alone; a
  // socket that a server of this user has left behind is replaced. Errors as Check.
  absl::Status Publish();

  // If the path still leads to what was published. Idempotent.
  void Remove();

 private:
  absl::Status Move();

  const std::string path_;
  const std::string folder_;
  const std::string bound_;
  std::optional<std::pair<dev_t, ino_t>> published_;
};

}  // namespace gatehouse::frontend
