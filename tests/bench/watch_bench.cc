// From Revoke's return to each watcher's receipt of the change.

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "gatehouse/v1/authorization_service.grpc.pb.h"
#include "tests/bench/histogram.h"

ABSL_FLAG(std::string, target, "", "HOST:PORT of the server");
ABSL_FLAG(std::string, issuer, "http://localhost:3000", "Whose token ids are revoked");
ABSL_FLAG(int, watchers, 100, "Streams of Watch");
ABSL_FLAG(int, connections, 2, "Connections of the watchers");
ABSL_FLAG(double, rate, 100, "Revocations a second");
ABSL_FLAG(int, changes, 500, "Revocations in all");
ABSL_FLAG(std::string, caller_token_file, "", "File whose first line is the caller's token");

namespace gatehouse::bench {
namespace {

using Clock = std::chrono::steady_clock;

int64_t Nanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}

void Authorize(grpc::ClientContext& context) {
  const std::string path = absl::GetFlag(FLAGS_caller_token_file);
  if (path.empty()) return;
  std::string token;
  std::ifstream(path) >> token;
  context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
}

// One stream, on the one thread of its queue.
struct Watcher {
  enum class Step { kStarting, kAsking, kReading };

  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::WatchRequest, v1::WatchResponse>> stream;
  Step step = Step::kStarting;
  v1::WatchResponse reply;
  int64_t start = -1;
  int64_t messages = 0;
  // When each change came, counted from the first.
  std::vector<int64_t> came;

  // False when it has all, or has ended.
  bool Advance(bool ok, size_t wanted) {
    if (!ok) return false;
    if (step == Step::kStarting) {
      step = Step::kAsking;
      stream->Write(v1::WatchRequest(), this);
      return true;
    }
    if (step == Step::kAsking) {
      step = Step::kReading;
    } else {
      const int64_t now = Nanos();
      if (start < 0) start = reply.revision();
      ++messages;
      came.insert(came.end(), static_cast<size_t>(reply.changes_size()), now);
    }
    if (came.size() >= wanted) return false;
    stream->Read(&reply, this);
    return true;
  }
};

int Run() {
  const std::string target = absl::GetFlag(FLAGS_target);
  const auto count = static_cast<size_t>(absl::GetFlag(FLAGS_watchers));
  const auto wanted = static_cast<size_t>(absl::GetFlag(FLAGS_changes));
  const auto connections = static_cast<size_t>(absl::GetFlag(FLAGS_connections));
  grpc::CompletionQueue queue;
  std::vector<std::unique_ptr<v1::AuthorizationService::Stub>> stubs;
  for (size_t i = 0; i < connections + 1; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stubs.push_back(v1::AuthorizationService::NewStub(
        grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments)));
  }
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (size_t i = 0; i < count; ++i) {
    Watcher& watcher = *watchers.emplace_back(std::make_unique<Watcher>());
    Authorize(watcher.context);
    watcher.stream = stubs[i % connections]->AsyncWatch(&watcher.context, &queue, &watcher);
  }
  std::atomic<size_t> ready = 0;
  std::atomic<bool> failed = false;
  std::thread reader([&] {
    size_t open = count;
    void* tag = nullptr;
    bool ok = false;
    while (open > 0 && queue.Next(&tag, &ok)) {
      auto& watcher = *static_cast<Watcher*>(tag);
      const bool was_ready = watcher.messages > 0;
      if (!watcher.Advance(ok, wanted)) {
        --open;
        if (watcher.came.size() < wanted) failed = true;
      }
      if (!was_ready && (watcher.messages > 0 || !ok)) ready.fetch_add(1);
      ready.notify_all();
    }
  });
  for (size_t now = ready; now < count; now = ready) ready.wait(now);

  std::vector<int64_t> returned;
  const auto begin = Clock::now();
  const std::chrono::duration<double> gap(1.0 / absl::GetFlag(FLAGS_rate));
  for (size_t i = 0; i < wanted && !failed; ++i) {
    std::this_thread::sleep_until(
        begin + std::chrono::duration_cast<Clock::duration>(gap * static_cast<double>(i)));
    grpc::ClientContext context;
    Authorize(context);
    v1::RevokeRequest request;
    request.mutable_token_id()->set_issuer(absl::GetFlag(FLAGS_issuer));
    request.mutable_token_id()->set_token_id(absl::StrCat("watch-bench-", Nanos(), "-", i));
    v1::RevokeResponse reply;
    const grpc::Status status = stubs.back()->Revoke(&context, request, &reply);
    returned.push_back(Nanos());
    if (status.ok()) continue;
    std::fprintf(stderr, "gatehouse-watch-bench: %s\n", status.error_message().c_str());
    failed = true;
  }
  if (failed) {
    for (const auto& watcher : watchers) watcher->context.TryCancel();
  }
  reader.join();
  Histogram late;
  int64_t messages = 0;
  for (const auto& watcher : watchers) {
    messages += watcher->messages;
    for (size_t i = 0; i < std::min(watcher->came.size(), returned.size()); ++i) {
      late.Add(watcher->came[i] - returned[i]);
    }
    watcher->context.TryCancel();
  }
  std::printf(
      R"({"watchers":%zu,"changes":%zu,"told":%lld,"messages":%lld,"p50_us":%.1f,"p99_us":%.1f,"max_us":%.1f})"
      "\n",
      count, returned.size(), static_cast<long long>(late.total()),
      static_cast<long long>(messages), static_cast<double>(late.Quantile(0.5)) / 1000,
      static_cast<double>(late.Quantile(0.99)) / 1000,
      static_cast<double>(late.Quantile(1)) / 1000);
  return failed || late.total() != static_cast<int64_t>(count * wanted) ? 1 : 0;
}

}  // namespace
}  // namespace gatehouse::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Measures how long after Revoke's return each watcher hears of it.\n"
      "  gatehouse-watch-bench --target=127.0.0.1:7070 --watchers=100 --rate=100");
  absl::ParseCommandLine(argc, argv);
  if (absl::GetFlag(FLAGS_target).empty()) {
    std::fprintf(stderr, "gatehouse-watch-bench: --target is required\n");
    return 2;
  }
  return gatehouse::bench::Run();
}
