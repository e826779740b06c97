#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gatehouse::cli {

// A file that appears under its name whole or not at all, in place of what was there. Mode
// 0600. UNAVAILABLE, naming the file, for whatever fails.
class NewFile {
 public:
  static absl::StatusOr<NewFile> Make(const std::string& path);

  // Takes away what was not finished.
  ~NewFile();
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  absl::Status Write(absl::string_view bytes);
  // Brings it to the disk and gives it its name.
  absl::Status Finish();

 private:
  NewFile(std::string path, std::string temporary, int fd);
  absl::Status Failed() const;

  const std::string path_;
  std::string temporary_;  // empty: it is no more
  int fd_;
};

}  // namespace gatehouse::cli
