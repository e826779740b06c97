#include "tests/cli/child.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

namespace gatehouse::cli {
namespace {

// The two ends of a pipe or a terminal: ours and the child's.
struct Ends {
  int ours = -1;
  int theirs = -1;
};

void Require(bool done) {
  if (!done) std::abort();
}

Ends Terminal() {
  Ends ends;
  Require(openpty(&ends.ours, &ends.theirs, nullptr, nullptr, nullptr) == 0);
  Require(fcntl(ends.ours, F_SETFD, FD_CLOEXEC) == 0);
  Require(fcntl(ends.theirs, F_SETFD, FD_CLOEXEC) == 0);
  return ends;
}

Ends Pipe(bool to_child) {
  int fds[2];
  Require(pipe2(fds, O_CLOEXEC) == 0);
  return to_child ? Ends{fds[1], fds[0]} : Ends{fds[0], fds[1]};
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

pid_t Spawn(const Child& child, const Ends& in, const Ends& out, const Ends& err) {
  std::vector<std::string> arguments = {GATEHOUSE_COMMAND};
  arguments.insert(arguments.end(), child.arguments.begin(), child.arguments.end());
  std::vector<std::string> environment;
  environment.reserve(child.environment.size());
  for (const auto& [name, value] : child.environment) {
    environment.emplace_back(name).append("=").append(value);
  }

  posix_spawn_file_actions_t actions;
  Require(posix_spawn_file_actions_init(&actions) == 0);
  posix_spawn_file_actions_adddup2(&actions, in.theirs, STDIN_FILENO);
  if (child.output_file.empty()) {
    posix_spawn_file_actions_adddup2(&actions, out.theirs, STDOUT_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, child.output_file.c_str(), O_WRONLY,
                                     0);
  }
  posix_spawn_file_actions_adddup2(&actions, err.theirs, STDERR_FILENO);
  pid_t pid = -1;
  Require(posix_spawn(&pid, GATEHOUSE_COMMAND, &actions, nullptr, Pointers(arguments).data(),
                      Pointers(environment).data()) == 0);
  posix_spawn_file_actions_destroy(&actions);
  close(in.theirs);
  close(out.theirs);
  close(err.theirs);
  return pid;
}

// Reads what is there; false at the end. A terminal says EIO when its last user has gone.
bool ReadSome(int fd, std::string& to) {
  char buffer[4096];
  const ssize_t got = read(fd, buffer, sizeof(buffer));
  if (got > 0) to.append(buffer, static_cast<size_t>(got));
  return got > 0 || (got < 0 && errno == EINTR);
}

bool WriteSome(int fd, std::string& from) {
  const ssize_t put = write(fd, from.data(), from.size());
  if (put > 0) from.erase(0, static_cast<size_t>(put));
  return !from.empty() && (put > 0 || errno == EAGAIN || errno == EINTR);
}

void Exchange(std::string input, const Ends& in, const Ends& out, const Ends& err, Result& result) {
  Require(fcntl(in.ours, F_SETFL, O_NONBLOCK) == 0);
  pollfd fds[] = {{in.ours, POLLOUT, 0}, {out.ours, POLLIN, 0}, {err.ours, POLLIN, 0}};
  const auto finish = [&](pollfd& entry) {
    close(entry.fd);
    entry.fd = -1;
  };
  if (input.empty()) finish(fds[0]);
  while (fds[1].fd >= 0 || fds[2].fd >= 0) {
    if (poll(fds, 3, -1) < 0) continue;
    if (fds[0].fd >= 0 && fds[0].revents != 0 && !WriteSome(fds[0].fd, input)) finish(fds[0]);
    if (fds[1].fd >= 0 && fds[1].revents != 0 && !ReadSome(fds[1].fd, result.out)) finish(fds[1]);
    if (fds[2].fd >= 0 && fds[2].revents != 0 && !ReadSome(fds[2].fd, result.err)) finish(fds[2]);
  }
  if (fds[0].fd >= 0) finish(fds[0]);
}

}  // namespace

Result RunChild(const Child& child) {
  // A child that does not read its input must not end the test.
  signal(SIGPIPE, SIG_IGN);
  const Ends in = child.terminal_input ? Terminal() : Pipe(/*to_child=*/true);
  const Ends out = child.terminal_output ? Terminal() : Pipe(/*to_child=*/false);
  const Ends err = Pipe(/*to_child=*/false);
  const int keep = child.terminal_input ? dup(in.ours) : -1;  // a closed terminal is no terminal
  const pid_t pid = Spawn(child, in, out, err);
  Result result;
  Exchange(child.input, in, out, err, result);
  if (keep >= 0) close(keep);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) Require(errno == EINTR);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  return result;
}

}  // namespace gatehouse::cli
