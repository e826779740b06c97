#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gatehouse::cli {

// The lines of a file of any size, one after the other.
class LineReader {
 public:
  // A longer one is skipped.
  static constexpr size_t kMaxLine = size_t{1024} * 1024;

  enum class Next { kLine, kTooLong, kEnd };

  // "-" is standard input. NOT_FOUND or INVALID_ARGUMENT, naming the file and the
  // system's reason.
  static absl::StatusOr<LineReader> Open(const std::string& path);

  // Reads on. UNAVAILABLE if the file cannot be read.
  absl::StatusOr<Next> Read();

  // The line, without its end, until the next Read(). jose::kJsonPadding bytes behind
  // it can be read.
  absl::string_view line() const { return {line_.data(), size_}; }
  // Its number, from 1.
  int64_t number() const { return number_; }
  // So many bytes were read.
  int64_t bytes() const { return bytes_; }

 private:
  struct Closer {
    void operator()(std::FILE* file) const;
  };

  LineReader(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}

  // False at the end.
  absl::StatusOr<bool> Fill();

  std::string path_;
  std::unique_ptr<std::FILE, Closer> file_;
  std::string buffer_;
  size_t begin_ = 0;  // what is left of it
  std::string line_;
  size_t size_ = 0;
  int64_t number_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace gatehouse::cli
