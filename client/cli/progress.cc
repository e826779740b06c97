#include "client/cli/progress.h"

#include <unistd.h>

#include <iostream>
#include <utility>

namespace gatehouse::cli {

Progress::Progress(std::string what)
    : what_(std::move(what)), is_terminal_(isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  if (shown_) std::cerr << "\r\x1b[K" << std::flush;
}

void Progress::Show(int64_t count) {
  if (!is_terminal_) return;
  shown_ = true;
  std::cerr << "\r" << count << " " << what_ << std::flush;
}

}  // namespace gatehouse::cli
