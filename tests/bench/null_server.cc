#include "tests/bench/null_server.h"

#include <signal.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "tests/bench/tls_files.h"

ABSL_FLAG(std::string, api, "cq", "cq (completion queues) or callback");
ABSL_FLAG(int, threads, 1, "Threads, each with its queue. Only with --api=cq");
// Debian builds gRPC with assertions on, and each event of a queue walks through
// the queue's outstanding tags: 3 x 200 of them cost a call 8,800 instructions.
ABSL_FLAG(int, outstanding, 32, "Requests asked for on each queue for each method");
ABSL_FLAG(std::string, tls_ca, "", "CA file of the clients' certificates; without it plaintext");
ABSL_FLAG(std::string, tls_cert, "", "The server's certificate");
ABSL_FLAG(std::string, tls_key, "", "Its key");
ABSL_FLAG(uint16_t, port, 0, "Port on 127.0.0.1; 0: the kernel picks one");

namespace gatehouse::bench {
namespace {

int Fail(const std::string& why) {
  std::fprintf(stderr, "gatehouse-null-server: %s\n", why.c_str());
  return 2;
}

int Run() {
  const std::string api = absl::GetFlag(FLAGS_api);
  const int threads = absl::GetFlag(FLAGS_threads);
  if (api != "cq" && api != "callback") return Fail("--api must be cq or callback");
  const int outstanding = absl::GetFlag(FLAGS_outstanding);
  if (threads < 1 || outstanding < 1) return Fail("--threads and --outstanding: at least 1");
  const std::unique_ptr<NullServer> null_server =
      api == "cq" ? MakeCompletionQueueServer(threads, outstanding) : MakeCallbackServer();

  // Debian builds Abseil with its search for deadlocks on, which costs every call 4%.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);

  // Blocked before gRPC starts threads, so that only sigwait gets them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::StrCat("127.0.0.1:", absl::GetFlag(FLAGS_port)),
                           ServerCredentials({.ca = absl::GetFlag(FLAGS_tls_ca),
                                              .cert = absl::GetFlag(FLAGS_tls_cert),
                                              .key = absl::GetFlag(FLAGS_tls_key)}),
                           &port);
  builder.SetMaxReceiveMessageSize(1 << 20);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  null_server->Register(builder);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) return Fail("cannot listen on that port");
  null_server->Start();
  std::printf("listening grpc=\"127.0.0.1:%d\"\n", port);
  std::fflush(stdout);

  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
  null_server->Join();
  return 0;
}

}  // namespace
}  // namespace gatehouse::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "gatehouse-null-server: answers Verify, Authorize and, with --api=cq, BatchAuthorize\n"
      "and Envoy's Check without deciding anything, the yardstick that scripts/bench measures the "
      "server against.");
  if (absl::ParseCommandLine(argc, argv).size() > 1) {
    return gatehouse::bench::Fail("takes flags only; see --help");
  }
  return gatehouse::bench::Run();
}
