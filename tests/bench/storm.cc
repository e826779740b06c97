#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/synchronization/mutex.h"
#include "tests/bench/load_methods.h"
#include "tests/bench/tls_files.h"

ABSL_FLAG(std::string, target, "", "HOST:PORT of the server");
ABSL_FLAG(std::string, tokens, "", "File of lines \"TOKEN SUBJECT\"; the first is asked about");
ABSL_FLAG(int, connections, 1000, "Connections, each of one client");
ABSL_FLAG(std::string, tls_ca, "", "CA file; without it plaintext");
ABSL_FLAG(std::string, tls_cert, "", "The client's certificate");
ABSL_FLAG(std::string, tls_key, "", "Its key");

namespace gatehouse::bench {
namespace {

using Clock = std::chrono::steady_clock;

int Fail(const std::string& why) {
  std::fprintf(stderr, "gatehouse-storm: %s\n", why.c_str());
  return 2;
}

struct Client {
  std::unique_ptr<v1::AuthorizationService::Stub> stub;
  std::optional<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::VerifyResponse>> reader;
  v1::VerifyResponse reply;
  grpc::Status status;
};

std::vector<Client> Connect() {
  const auto credentials = ClientCredentials({.ca = absl::GetFlag(FLAGS_tls_ca),
                                              .cert = absl::GetFlag(FLAGS_tls_cert),
                                              .key = absl::GetFlag(FLAGS_tls_key)});
  std::vector<Client> clients(static_cast<size_t>(absl::GetFlag(FLAGS_connections)));
  for (Client& client : clients) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    // As impatient as gRPC lets a client be.
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    client.stub = v1::AuthorizationService::NewStub(
        grpc::CreateCustomChannel(absl::GetFlag(FLAGS_target), credentials, arguments));
  }
  return clients;
}

// One call of each, all at once; how long each took to be answered, rising. Empty if one of
// them was not allowed.
std::vector<double> AskAll(std::vector<Client>& clients, const v1::VerifyRequest& request) {
  grpc::CompletionQueue queue;
  const auto begin = Clock::now();
  for (Client& client : clients) {
    client.context.emplace();
    client.context->set_wait_for_ready(true);
    client.context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    client.reader = client.stub->AsyncVerify(&*client.context, request, &queue);
    client.reader->Finish(&client.reply, &client.status, &client);
  }
  std::vector<double> seconds;
  bool all_allowed = true;
  void* tag = nullptr;
  bool ok = false;
  while (seconds.size() < clients.size() && queue.Next(&tag, &ok)) {
    const Client& client = *static_cast<Client*>(tag);
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    if (!client.status.ok() || client.reply.decision().code() != v1::CODE_OK) {
      if (std::exchange(all_allowed, false)) {
        std::fprintf(
            stderr, "gatehouse-storm: %s\n",
            client.status.ok() ? "a token was denied" : client.status.error_message().c_str());
      }
    }
  }
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  return all_allowed ? seconds : std::vector<double>();
}

int Run() {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  if (absl::GetFlag(FLAGS_target).empty()) return Fail("--target is required");
  if (absl::GetFlag(FLAGS_connections) < 1) return Fail("--connections must be at least 1");
  const auto tokens = ReadTokens(absl::GetFlag(FLAGS_tokens));
  if (!tokens.ok()) return Fail(std::string(tokens.status().message()));
  v1::VerifyRequest request;
  request.set_token(tokens->front().token);

  std::vector<Client> clients = Connect();
  std::string line;
  do {
    const std::vector<double> seconds = AskAll(clients, request);
    if (seconds.empty()) return 1;
    std::printf("{\"connections\": %zu, \"half_seconds\": %.4f, \"all_seconds\": %.4f}\n",
                seconds.size(), seconds[seconds.size() / 2], seconds.back());
    std::fflush(stdout);
  } while (std::getline(std::cin, line));
  return 0;
}

}  // namespace
}  // namespace gatehouse::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "gatehouse-storm: many clients, each with a connection of its own, ask Verify once, all at\n"
      "the same time, and once more for each line on standard input. Prints as JSON when half of\n"
      "them and when all of them had their answer. Exit code 1 if one was not allowed.");
  if (absl::ParseCommandLine(argc, argv).size() > 1) {
    return gatehouse::bench::Fail("takes flags only; see --help");
  }
  return gatehouse::bench::Run();
}
