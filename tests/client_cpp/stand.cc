#include "tests/client_cpp/stand.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

extern char** environ;

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
// gRPC's resolver of names keeps some bytes that it never gives back.
extern "C" const char* __lsan_default_suppressions() { return "leak:libcares.so"; }  // NOLINT
#endif
#endif

namespace gatehouse::client {
namespace {

const std::string kSource = GATEHOUSE_SOURCE;

}  // namespace

Stand::Stand() {
  std::array<int, 2> input{};
  std::array<int, 2> output{};
  if (pipe(input.data()) != 0 || pipe(output.data()) != 0) std::abort();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], 0);
  posix_spawn_file_actions_adddup2(&actions, output[1], 1);
  for (const int end : {input[0], input[1], output[0], output[1]}) {
    posix_spawn_file_actions_addclose(&actions, end);
  }
  setenv("GATEHOUSE_BIN", GATEHOUSE_BUILD, 0);
  std::string python = kSource + "/.cache/venv/bin/python";
  std::string script = kSource + "/tests/clients/server.py";
  std::string flag = "-B";
  std::array<char*, 4> arguments = {python.data(), flag.data(), script.data(), nullptr};
  const int failed =
      posix_spawn(&process_, python.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(input[0]);
  close(output[1]);
  to_ = fdopen(input[1], "w");
  from_ = fdopen(output[0], "r");
  if (failed != 0) {
    ADD_FAILURE() << "cannot run " << python << ": scripts/setup-tests makes it";
    return;
  }
  ready_ = ParseJson(ReadLine());
}

Stand::~Stand() {
  std::fclose(to_);
  std::fclose(from_);
  if (process_ > 0) waitpid(process_, nullptr, 0);
}

std::string Stand::ReadLine() {
  std::string line;
  for (int c = std::fgetc(from_); c != EOF && c != '\n'; c = std::fgetc(from_)) {
    line.push_back(static_cast<char>(c));
  }
  return line;
}

Json Stand::Do(const std::string& command) {
  EXPECT_EQ(command.find('\n'), std::string::npos);
  std::fputs((command + "\n").c_str(), to_);
  std::fflush(to_);
  Json said = ParseJson(ReadLine());
  if (!Get(said, "ok").bool_value()) ADD_FAILURE() << command << " gave " << TextOf(said);
  for (const char* const name : {"grpc", "http", "pid"}) {
    if (Has(said, name) && command.find("stub") == std::string::npos) {
      (*ready_.mutable_struct_value()->mutable_fields())[name] = Get(said, name);
    }
  }
  return said;
}

Json Stand::Proxy(const std::string& op, const std::string& more) {
  return Do("{\"do\": \"proxy\", \"op\": \"" + op + "\"" + more + "}");
}

std::string Stand::token(const std::string& name) const {
  return Get(Get(ready_, "tokens"), name).string_value();
}

std::string Stand::NewToken(const std::string& subject) {
  const Json made = Do("{\"do\": \"token\", \"recipe\": {\"claims\": {\"sub\": \"" + subject +
                       "\", \"jti\": \"" + subject + "\"}}}");
  return Get(made, "token").string_value();
}

std::pair<double, double> Stand::Revoke(const std::string& token) {
  const Json said = Do("{\"do\": \"revoke\", \"token\": \"" + token + "\"}");
  return {Get(said, "began").number_value(), Get(said, "ended").number_value()};
}

Settings Stand::SettingsFor(const std::string& target, const std::string& caller) const {
  Settings settings;
  settings.target = target;
  if (caller != "none") settings.token_file = Get(Get(ready_, "callers"), caller).string_value();
  return settings;
}

Stand& SharedStand() {
  static Stand stand;
  return stand;
}

}  // namespace gatehouse::client
