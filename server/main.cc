#include <pthread.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "server/base/clock.h"
#include "server/base/file_watch.h"
#include "server/base/log.h"
#include "server/command_line.h"
#include "server/config/config.h"
#include "server/reloader.h"
#include "server/server.h"

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

int Main(int argc, char** argv) {
  // gRPC's own log is for its developers; what concerns an operator is said by us.
  // And Abseil's search for deadlocks is for them too: it costs each of gRPC's locks.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);  // NOLINT(concurrency-mt-unsafe)
  // It writes what is received, tokens included.
  unsetenv("GRPC_TRACE");  // NOLINT(concurrency-mt-unsafe)
  const std::variant<Command, int> read = ReadCommandLine(argc, argv);
  const auto* const command = std::get_if<Command>(&read);
  if (command == nullptr) return std::get<int>(read);
  if (command->task == Command::Task::kRun) return Run(command->config);
  const auto config = config::LoadConfig(command->config);
  if (!config.ok()) return Fail(config.status());
  switch (command->task) {
    case Command::Task::kCheck:
      return Check(*config, command->config);
    case Command::Task::kRestore:
      return Restore(command->backup, *config);
    default:
      return CreateDatabase(*config);
  }
}

}  // namespace
}  // namespace gatehouse

int main(int argc, char** argv) { return gatehouse::Main(argc, argv); }
