#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/config/config.h"

namespace gatehouse::frontend {

// The file of a decision log: lines are appended, and before it would grow beyond
// `max_bytes` it is renamed to <path>.1, that one to <path>.2 and so on. One that was
// moved away or removed by somebody else is made again. For one thread.
class DecisionFile {
 public:
  struct Options {
    std::string path;
    int64_t max_bytes = 0;
    int keep_files = 0;                       // 0: what is full is dropped
    std::vector<config::KeptFile> kept = {};  // never opened
  };

  // Opens the file, makes it if it is missing (for its owner alone), and ends a last
  // line that a crash has cut off.
  //   FAILED_PRECONDITION  it cannot be: the system's reason, or it is no regular file, one
  //                        of `kept`, or a file that begins with no line of a log
  static absl::StatusOr<DecisionFile> Open(Options options);

  // What Open would need, without making or changing anything.
  static absl::Status Check(const Options& options);

  DecisionFile(DecisionFile&& other) noexcept;
  DecisionFile& operator=(DecisionFile&&) = delete;
  ~DecisionFile();

  // Appends `lines`, each of which ends with a line end, as far as it can. `written` is
  // the number of lines that stand in the file whole. A line that is longer than
  // `max_bytes` has a file of its own.
  absl::Status Append(absl::string_view lines, int64_t& written);

 private:
  explicit DecisionFile(Options options) : options_(std::move(options)) {}

  absl::Status OpenFile();
  void Close();
  // Opens again what is not where it was.
  absl::Status FollowPath();
  absl::Status Rotate();
  // All of `text` or an error; `taken`: the bytes that were written.
  absl::Status Write(absl::string_view text, size_t& taken);

  const Options options_;
  int fd_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  int64_t size_ = 0;
  bool cut_off_ = false;  // the last line has no end
};

}  // namespace gatehouse::frontend
