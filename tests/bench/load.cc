#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "tests/bench/load_methods.h"
#include "tests/bench/load_runner.h"

ABSL_FLAG(std::string, target, "", "HOST:PORT of the server");
ABSL_FLAG(std::string, method, "verify", "verify, authorize, batch, check, revoke or empty");
ABSL_FLAG(std::string, tokens, "", "File of lines \"TOKEN SUBJECT\", for all that ask about one");
ABSL_FLAG(int, checks, 100, "Checks in each call of batch");
ABSL_FLAG(std::string, order, "rotate", "How tokens are picked: rotate or random");
ABSL_FLAG(uint64_t, seed, 1, "For --order=random");
ABSL_FLAG(std::string, issuer, "http://localhost:3000", "Whose token ids revoke names");
ABSL_FLAG(int, connections, 2, "Connections");
ABSL_FLAG(int, in_flight, 32, "Calls in flight on each connection");
ABSL_FLAG(double, seconds, 2, "Length of the measured window");
ABSL_FLAG(double, warmup, 0.3, "Seconds before it that are not measured");
ABSL_FLAG(int64_t, calls, 0, "End the window after so many calls instead");
ABSL_FLAG(double, rate, 0,
          "Begin so many calls a second, timed from when each was due; 0: as many as go");
ABSL_FLAG(double, revocations_beside, 0,
          "With --rate: so many revocations a second in the same window, counted for themselves");
ABSL_FLAG(int, server_pid, 0, "Process whose CPU time is measured");
ABSL_FLAG(std::string, caller_token_file, "", "File whose first line is the caller's token");
ABSL_FLAG(std::string, tls_ca, "", "CA file; without it plaintext");
ABSL_FLAG(std::string, tls_cert, "", "The client's certificate");
ABSL_FLAG(std::string, tls_key, "", "Its key");
ABSL_FLAG(std::string, allow_codes, "",
          "Succeed though decisions had these codes, comma-separated (CODE_TOKEN_INVALID)");
ABSL_FLAG(std::string, allow_errors, "",
          "Succeed though calls ended with these gRPC statuses, numbers, comma-separated");
ABSL_FLAG(bool, allow_denials, false, "Succeed though calls failed or were denied");

namespace gatehouse::bench {
namespace {

int Fail(const std::string& why) {
  std::fprintf(stderr, "gatehouse-load: %s\n", why.c_str());
  return 2;
}

std::vector<std::string> Words(const std::string& list) {
  return absl::StrSplit(list, ',', absl::SkipEmpty());
}

bool IsAsAllowed(const LoadResult& result) {
  return absl::GetFlag(FLAGS_allow_denials) ||
         result.IsAsAllowed(Words(absl::GetFlag(FLAGS_allow_codes)),
                            Words(absl::GetFlag(FLAGS_allow_errors)));
}

// Both on one thread, so that neither has to wait for the other's process to be scheduled.
template <typename Method>
std::pair<LoadResult, LoadResult> RunBeside(LoadRunner<Method>& runner,
                                            LoadRunner<RevokeMethod>& beside) {
  runner.Start();
  beside.Start();
  while (runner.Step()) {
    if (runner.is_closed()) beside.Close();
    beside.Step();
  }
  beside.Close();
  while (beside.Step()) continue;
  return {runner.Finish(), beside.Finish()};
}

template <typename Method>
int Run(const LoadOptions& options, Method method) {
  LoadRunner<Method> runner(options, std::move(method));
  LoadOptions revocations = options;
  revocations.rate = absl::GetFlag(FLAGS_revocations_beside);
  LoadRunner<RevokeMethod> beside(revocations, RevokeMethod(absl::GetFlag(FLAGS_issuer)));
  const bool is_beside = revocations.rate > 0;
  if (!runner.Connect() || (is_beside && !beside.Connect())) {
    return Fail("cannot connect to " + options.target);
  }
  bool is_as_allowed = false;
  if (is_beside) {
    const auto [result, written] = RunBeside(runner, beside);
    std::printf("%s\n", result.ToJson(written).c_str());
    is_as_allowed = IsAsAllowed(result) && IsAsAllowed(written);
  } else {
    const LoadResult result = runner.Run();
    std::printf("%s\n", result.ToJson().c_str());
    is_as_allowed = IsAsAllowed(result);
  }
  if (is_as_allowed) return 0;
  std::fprintf(stderr, "gatehouse-load: not every call was answered and allowed\n");
  return 1;
}

int Main() {
  // Debian builds Abseil with its search for deadlocks on.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);

  LoadOptions options;
  options.target = absl::GetFlag(FLAGS_target);
  options.connections = absl::GetFlag(FLAGS_connections);
  options.in_flight = absl::GetFlag(FLAGS_in_flight);
  options.seconds = absl::GetFlag(FLAGS_seconds);
  options.warmup_seconds = absl::GetFlag(FLAGS_warmup);
  options.calls = absl::GetFlag(FLAGS_calls);
  options.rate = absl::GetFlag(FLAGS_rate);
  if (options.target.empty()) return Fail("--target is required");
  if (options.connections < 1 || options.in_flight < 1) {
    return Fail("--connections and --in_flight must be at least 1");
  }
  if (!(options.seconds > 0) || !std::isfinite(options.seconds) || !(options.warmup_seconds >= 0) ||
      !std::isfinite(options.warmup_seconds) || !(options.rate >= 0) ||
      !std::isfinite(options.rate) || options.calls < 0) {
    return Fail("--seconds must be above 0; --warmup, --calls and --rate at least 0");
  }
  const double beside = absl::GetFlag(FLAGS_revocations_beside);
  if (!(beside >= 0) || !std::isfinite(beside) ||
      (beside > 0 && (options.rate == 0 || options.connections * options.in_flight < 2))) {
    return Fail("--revocations_beside must be at least 0, and needs --rate and two in flight");
  }
  if (const int pid = absl::GetFlag(FLAGS_server_pid); pid != 0) {
    absl::StatusOr<ProcessCpu> server = ProcessCpu::Of(pid);
    if (!server.ok()) return Fail("--server_pid: " + std::string(server.status().message()));
    options.server = *server;
  }

  if (const std::string file = absl::GetFlag(FLAGS_caller_token_file); !file.empty()) {
    std::string token;
    if (!std::getline(std::ifstream(file), token) || token.empty()) {
      return Fail("--caller_token_file: " + file + " holds no token");
    }
    options.authorization = "Bearer " + token;
  }

  options.tls = {.ca = absl::GetFlag(FLAGS_tls_ca),
                 .cert = absl::GetFlag(FLAGS_tls_cert),
                 .key = absl::GetFlag(FLAGS_tls_key)};

  const std::string order = absl::GetFlag(FLAGS_order);
  if (order != "rotate" && order != "random") return Fail("--order must be rotate or random");
  const uint64_t seed = absl::GetFlag(FLAGS_seed);
  if (seed == 0) return Fail("--seed must not be 0");

  const std::string method = absl::GetFlag(FLAGS_method);
  if (method == "empty") return Run(options, EmptyMethod());
  if (method == "revoke") return Run(options, RevokeMethod(absl::GetFlag(FLAGS_issuer)));
  if (method != "verify" && method != "authorize" && method != "batch" && method != "check") {
    return Fail("--method must be verify, authorize, batch, check, revoke or empty");
  }
  const int checks = absl::GetFlag(FLAGS_checks);
  if (checks < 1) return Fail("--checks must be at least 1");
  if (absl::GetFlag(FLAGS_tokens).empty()) return Fail("--tokens is required for " + method);
  const auto tokens = ReadTokens(absl::GetFlag(FLAGS_tokens));
  if (!tokens.ok()) return Fail(std::string(tokens.status().message()));
  const Picker picker(tokens->size(), order == "random", seed);
  if (method == "batch") return Run(options, BatchMethod(*tokens, checks, picker));
  if (method == "check") return Run(options, CheckMethod(*tokens, picker));
  return method == "verify" ? Run(options, VerifyMethod(*tokens, picker))
                            : Run(options, AuthorizeMethod(*tokens, picker));
}

}  // namespace
}  // namespace gatehouse::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "gatehouse-load: calls one method of a server as fast as it answers, or at a fixed rate,\n"
      "and prints rate, latency and the server's CPU time a call as JSON. Exit code 1 if a call\n"
      "failed or was denied.");
  if (absl::ParseCommandLine(argc, argv).size() > 1) {
    return gatehouse::bench::Fail("takes flags only; see --help");
  }
  return gatehouse::bench::Main();
}
