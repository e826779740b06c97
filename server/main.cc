#include <pthread.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/synchronization/mutex.h"
#include "server/base/clock.h"
#include "server/base/file_watch.h"
#include "server/base/log.h"
#include "server/config/config.h"
#include "server/reloader.h"
#include "server/server.h"
#include "server/version.h"

namespace gatehouse {
namespace {

int Fail(const absl::Status& status) {
  std::cerr << "gatehouse-server: " << status.message() << "\n";
  return 1;
}

int Check(const config::Config& config, const std::string& path) {
  const absl::Status keys = CheckKeys(config);
  const absl::StatusOr<std::vector<std::string>> certificates = CheckCertificates(config);
  if (!keys.ok()) Fail(keys);
  if (!certificates.ok()) Fail(certificates.status());
  if (!keys.ok() || !certificates.ok()) return 1;
  for (const std::string& warning : Warnings(config)) std::cout << "warning: " << warning << "\n";
  for (const std::string& warning : *certificates) std::cout << "warning: " << warning << "\n";
  std::cout << path << ": OK\n";
  return 0;
}

int CreateDatabase(const config::Config& config) {
  const absl::Status status = CreateStore(config);
  if (!status.ok()) return Fail(status);
  std::cout << "created " << config.sqlite_path << "\n";
  return 0;
}

int Restore(const std::string& backup, const config::Config& config) {
  const absl::StatusOr<std::string> report = RestoreStore(backup, config);
  if (!report.ok()) return Fail(report.status());
  std::cout << "restored " << config.sqlite_path << " from " << backup << "\n" << *report;
  return 0;
}

// Each connection is an open file, and what a shell allows is less than a cluster needs.
void AllowOpenFiles() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

int Run(const std::string& path) {
  AllowOpenFiles();
  // Blocked before any thread is started, so that only the sigwait below takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  // A file that may grow no further (ulimit -f) is an error of the write.
  std::signal(SIGXFSZ, SIG_IGN);

  FileWatch watch({path});
  const auto config = LoadWatched(path, watch);
  if (!config.ok()) return Fail(config.status());
  auto server = Server::Start(*config, SystemClock());
  if (!server.ok()) return Fail(server.status());
  int signal = 0;
  {
    Reloader reloader(**server, path, std::move(watch), SystemClock());
    for (sigwait(&signals, &signal); signal == SIGHUP; sigwait(&signals, &signal)) reloader.Ask();
  }
  log::Info("stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
  (*server)->Shutdown(config->drain);
  log::Info("stopped");
  return 0;
}

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

int Main(int argc, char** argv) {
  // gRPC's own log is for its developers; what concerns an operator is said by us.
  // And Abseil's search for deadlocks is for them too: it costs each of gRPC's locks.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);  // NOLINT(concurrency-mt-unsafe)
  // It writes what is received, tokens included.
  unsetenv("GRPC_TRACE");  // NOLINT(concurrency-mt-unsafe)
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
  if (!check && !create_database && !restore) return Run(path);
  const auto config = config::LoadConfig(path);
  if (!config.ok()) return Fail(config.status());
  if (check) return Check(*config, path);
  return restore ? Restore(backup, *config) : CreateDatabase(*config);
}

}  // namespace
}  // namespace gatehouse

int main(int argc, char** argv) { return gatehouse::Main(argc, argv); }
