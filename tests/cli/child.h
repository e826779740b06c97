#pragma once

#include <map>
#include <string>
#include <vector>

namespace gatehouse::cli {

// How the real command is run, as a process of its own.
struct Child {
  // The compiler wants an initializer of what a designated list may leave out.
  // NOLINTBEGIN(readability-redundant-member-init)
  std::vector<std::string> arguments;
  std::string input = {};                               // on standard input
  std::map<std::string, std::string> environment = {};  // and nothing else
  bool terminal_input = false;                          // standard input is a terminal instead
  bool terminal_output = false;                         // standard output is a terminal
  std::string output_file = {};                         // standard output is this file
  // NOLINTEND(readability-redundant-member-init)
};

struct Result {
  int code = -1;  // the exit code; 1000 + the signal that ended it
  std::string out;
  std::string err;
};

// Runs the command to its end.
Result RunChild(const Child& child);

}  // namespace gatehouse::cli
