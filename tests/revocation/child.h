#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace gatehouse::revocation {

// Another program, with a pipe to its input and one from its output. Killed and
// reaped at the end.
class Child {
 public:
  explicit Child(const std::vector<std::string>& command);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void Write(const std::string& text) const;
  // The next line of its output without the line feed; false at its end, when a
  // last line that was cut short is left out.
  bool ReadLine(std::string& line);
  void Kill() const;
  // Closes its input and waits for it: the exit code, or -1 after a signal.
  int Wait();

 private:
  void CloseInput();

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string buffer_;
};

}  // namespace gatehouse::revocation
