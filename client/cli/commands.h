#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>

#include "absl/time/time.h"

// The subcommands of `gatehouse`, a file each.
namespace gatehouse::cli {

// Scripts branch on these; everything that is neither a yes nor a no is kUnknown.
inline constexpr int kYes = 0;      // allowed, or done
inline constexpr int kNo = 1;       // denied
inline constexpr int kUnknown = 2;  // could not tell, failed, wrong usage

enum class Output { kText, kJson };

// PEM files; empty: none.
struct TlsOptions {
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  std::string server_name;  // that the server's certificate must have instead of the target's
};

// What every subcommand takes.
struct Options {
  std::string target = "127.0.0.1:7070";
  static constexpr absl::Duration kTimeout = absl::Seconds(6);  // servers wait 2 s for keys
  absl::Duration timeout = kTimeout;
  Output output = Output::kText;
  std::string caller_token_file;  // empty: no token is sent
  TlsOptions tls;
};

// Runs a subcommand whose arguments were parsed. Returns the exit code.
using Action = std::function<int(const Options&)>;

// Each adds its subcommand to `app`; when that one is parsed, it sets `action`,
// which must outlive `app`.
void AddVerify(CLI::App& app, Action& action);
void AddAuthorize(CLI::App& app, Action& action);
void AddRevoke(CLI::App& app, Action& action);
void AddReinstate(CLI::App& app, Action& action);
void AddRevocations(CLI::App& app, Action& action);
void AddPolicy(CLI::App& app, Action& action);
void AddDevToken(CLI::App& app, Action& action);
void AddToken(CLI::App& app, Action& action);
void AddLintEnvoy(CLI::App& app, Action& action);
void AddRoute(CLI::App& app, Action& action);

// Parses the command line and runs what it names. Returns the exit code.
int Run(int argc, const char* const* argv);

}  // namespace gatehouse::cli
