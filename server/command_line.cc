#include "server/command_line.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "server/base/log.h"
#include "server/version.h"

namespace gatehouse {
namespace {

// An argument that no option took is most often the configuration, as other servers take it.
int FailExtras(const CLI::App& app, const CLI::ExtrasError& error) {
  const std::vector<std::string> extras = app.remaining();
  if (extras.empty() || absl::StartsWith(extras.front(), "-")) {
    app.exit(error);
    return 2;
  }
  const std::string file = log::Escape(extras.front(), 256);
  std::cerr << "gatehouse-server: unexpected argument \"" << file << "\"";
  if (app.count("--config") == 0) std::cerr << ": did you mean --config " << file << "?";
  std::cerr << "\n";
  return 2;
}

}  // namespace

std::variant<Command, int> ReadCommandLine(int argc, char** argv) {
  CLI::App app(
      "gatehouse-server decides for backends: who is this, may they do that, and is their token "
      "still good?\n\n"
      "Examples:\n"
      "  gatehouse-server --create-database --config gatehouse.yaml   once, before the first "
      "start\n"
      "  gatehouse-server --restore FILE --config gatehouse.yaml      put a backup in the place "
      "of a lost database\n"
      "  gatehouse-server --config gatehouse.yaml                     run; SIGTERM drains and "
      "ends,\n"
      "                                                               SIGHUP reads the "
      "configuration anew\n"
      "  gatehouse-server --check gatehouse.yaml                      look for mistakes, and "
      "end\n");
  app.set_version_flag("--version", std::string("gatehouse-server ") + kVersion);
  std::string path;
  std::string check_path;
  bool create_database = false;
  app.add_option("--config", path, "The configuration file (YAML)")->type_name("FILE");
  auto* check_option =
      app.add_option("--check", check_path,
                     "Check the configuration, its key files and its secrets, and end")
          ->type_name("[FILE]")
          ->expected(0, 1);
  app.add_flag("--create-database", create_database,
               "Make a new, empty database where the configuration says, and end; never "
               "overwrites one");
  std::string backup;
  auto* restore_option =
      app.add_option("--restore", backup,
                     "Make a database out of a backup where the configuration says, and end; "
                     "never overwrites one")
          ->type_name("FILE");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError& error) {
    return FailExtras(app, error);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  const bool check = check_option->count() > 0;
  const bool restore = restore_option->count() > 0;
  if (int{check} + int{create_database} + int{restore} > 1) {
    std::cerr << "gatehouse-server: --check, --create-database and --restore are different "
                 "things; give one\n";
    return 2;
  }
  if (!path.empty() && !check_path.empty() && path != check_path) {
    std::cerr << "gatehouse-server: --config and --check name two different files\n";
    return 2;
  }
  if (path.empty()) path = check_path;
  if (path.empty()) {
    std::cerr << "gatehouse-server: --config FILE is required; --help shows examples\n";
    return 2;
  }
  Command command{.config = std::move(path), .backup = std::move(backup)};
  if (check) command.task = Command::Task::kCheck;
  if (create_database) command.task = Command::Task::kCreateDatabase;
  if (restore) command.task = Command::Task::kRestore;
  return command;
}

}  // namespace gatehouse
