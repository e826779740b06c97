#pragma once

#include <string>
#include <variant>

namespace gatehouse {

// What gatehouse-server is asked to do.
struct Command {
  enum class Task { kRun, kCheck, kCreateDatabase, kRestore };

  Task task = Task::kRun;
  std::string config;  // the path, never empty
  std::string backup;  // of kRestore
};

// Else there is nothing more to do: the exit code, and what there was to say has been said.
std::variant<Command, int> ReadCommandLine(int argc, char** argv);

}  // namespace gatehouse
