#pragma once

#include <cstdint>
#include <string>

namespace gatehouse::cli {

// How far something has come, on one line of standard error if that is a terminal.
class Progress {
 public:
  // "1000 `what`".
  explicit Progress(std::string what);
  // Takes the line away.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Show(int64_t count);

 private:
  const std::string what_;
  const bool is_terminal_;
  bool shown_ = false;
};

}  // namespace gatehouse::cli
