#include "tests/support/postgres.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"

namespace gatehouse {
namespace {

absl::StatusOr<std::string> FindPrograms() {
  std::error_code ignored;
  std::string found;
  for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
    const std::filesystem::path folder = version.path() / "bin";
    if (std::filesystem::exists(folder / "initdb") &&
        std::filesystem::exists(folder / "postgres") && folder.string() > found) {
      found = folder.string();
    }
  }
  if (found.empty()) {
    return absl::NotFoundError(
        "there is no /usr/lib/postgresql/*/bin/initdb: install Debian's `postgresql`, as "
        "scripts/packages.txt says");
  }
  return found;
}

struct User {
  uid_t user = 0;
  gid_t group = 0;
};

// PostgreSQL refuses to run as root: whom it runs as instead. nullopt: as we are.
absl::StatusOr<std::optional<User>> FindUser() {
  if (geteuid() != 0) return std::optional<User>();
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> memory{};
  if (getpwnam_r("postgres", &entry, memory.data(), memory.size(), &found) != 0 ||
      found == nullptr) {
    return absl::NotFoundError("there is no user `postgres`, which Debian's `postgresql` makes");
  }
  return std::optional<User>(User{found->pw_uid, found->pw_gid});
}

// Starts a program whose output goes to `output`, and which ends with this process.
pid_t Spawn(const std::vector<std::string>& command, const std::optional<User>& user,
            const std::string& folder, int output) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& one : command) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  if (user.has_value() &&
      (setgroups(0, nullptr) != 0 || setgid(user->group) != 0 || setuid(user->user) != 0)) {
    _exit(126);
  }
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (getppid() != parent || chdir(folder.c_str()) != 0) _exit(126);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execv(arguments[0], arguments.data());
  _exit(127);
}

// Reads until `wanted` is there or the writer has ended.
std::string ReadUntil(int pipe, absl::string_view wanted) {
  std::string out;
  std::array<char, 4096> bytes{};
  while (wanted.empty() || !absl::StrContains(out, wanted)) {
    const ssize_t size = read(pipe, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    out.append(bytes.data(), static_cast<size_t>(size));
  }
  return out;
}

int Wait(pid_t process) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresServer>> PostgresServer::Start() {
  // Short: the address of a Unix socket is 107 bytes at most.
  std::string folder = "/tmp/gatehouse-pg-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return absl::InternalError("cannot make a folder in /tmp");
  std::unique_ptr<PostgresServer> server(new PostgresServer(std::move(folder)));
  GH_RETURN_IF_ERROR(server->Run());
  return server;
}

absl::Status PostgresServer::Run() {
  GH_ASSIGN_OR_RETURN(const std::string programs, FindPrograms());
  GH_ASSIGN_OR_RETURN(const std::optional<User> user, FindUser());
  if (user.has_value() && chown(folder_.c_str(), user->user, user->group) != 0) {
    return absl::InternalError("cannot give away a folder in /tmp");
  }
  const std::string data = folder_ + "/data";
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return absl::InternalError("cannot make a pipe");
  log_ = ends[0];
  const pid_t maker = Spawn({programs + "/initdb", "-D", data, "-U", "postgres", "-A", "trust",
                             "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"},
                            user, folder_, ends[1]);
  if (maker < 0) return absl::InternalError("cannot start initdb");
  if (Wait(maker) != 0) {
    close(ends[1]);
    return absl::InternalError(absl::StrCat("initdb failed: ", ReadUntil(log_, "")));
  }
  // Errors of statements are the test's business, and nobody reads the log.
  process_ = Spawn({programs + "/postgres",
                    "-D",
                    data,
                    "-k",
                    folder_,
                    "-c",
                    "listen_addresses=",
                    "-c",
                    "fsync=off",
                    "-c",
                    "full_page_writes=off",
                    "-c",
                    "synchronous_commit=off",
                    "-c",
                    "log_min_messages=log",
                    "-c",
                    "log_checkpoints=off",
                    "-c",
                    "autovacuum=off",
                    "-c",
                    "max_connections=10"},
                   user, folder_, ends[1]);
  close(ends[1]);
  if (process_ < 0) return absl::InternalError("cannot start postgres");
  constexpr absl::string_view kReady = "ready to accept connections";
  const std::string log = ReadUntil(log_, kReady);
  if (absl::StrContains(log, kReady)) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("postgres did not start: ", log));
}

PostgresServer::~PostgresServer() {
  if (process_ > 0) {
    kill(process_, SIGQUIT);
    Wait(process_);
  }
  if (log_ >= 0) close(log_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresConnection::Open(
    const PostgresServer& server) {
  PGconn* const connection =
      PQconnectdb(absl::StrCat("host=", server.folder(), " user=postgres dbname=postgres").c_str());
  std::unique_ptr<PostgresConnection> out(new PostgresConnection(connection));
  if (PQstatus(connection) != CONNECTION_OK) {
    return absl::UnavailableError(PQerrorMessage(connection));
  }
  PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
  // Notices that something to be dropped was not there.
  GH_RETURN_IF_ERROR(out->Run("SET client_min_messages = warning; SET client_encoding = 'UTF8'"));
  return out;
}

namespace {

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

absl::Status StatusOf(const Result& result) {
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return absl::OkStatus();
  const char* const code = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  return absl::UnknownError(
      absl::StrCat(code == nullptr ? "?" : code, ": ", PQresultErrorMessage(result.get())));
}

}  // namespace

absl::Status PostgresConnection::Run(const std::string& statements) {
  return StatusOf(Result(PQexec(connection_.get(), statements.c_str()), &PQclear));
}

absl::StatusOr<PostgresConnection::Rows> PostgresConnection::Query(
    const std::string& statement, const std::vector<std::optional<std::string>>& parameters) {
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const auto& one : parameters) values.push_back(one.has_value() ? one->c_str() : nullptr);
  const Result result(
      PQexecParams(connection_.get(), statement.c_str(), static_cast<int>(values.size()), nullptr,
                   values.data(), nullptr, nullptr, 0),
      &PQclear);
  GH_RETURN_IF_ERROR(StatusOf(result));
  Rows rows(static_cast<size_t>(PQntuples(result.get())));
  const int columns = PQnfields(result.get());
  for (size_t i = 0; i < rows.size(); ++i) {
    const int row = static_cast<int>(i);
    rows[i].reserve(static_cast<size_t>(columns));
    for (int j = 0; j < columns; ++j) {
      rows[i].push_back(PQgetisnull(result.get(), row, j) != 0
                            ? std::nullopt
                            : std::optional<std::string>(PQgetvalue(result.get(), row, j)));
    }
  }
  return rows;
}

}  // namespace gatehouse
