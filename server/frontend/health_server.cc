#include "server/frontend/health_server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "server/base/status_macros.h"
#include "server/frontend/builtin_services.h"
#include "server/frontend/connection_limits.h"
#include "server/frontend/grpc_address.h"
#include "server/frontend/queue_event.h"

namespace gatehouse::frontend {
namespace {

// A name has 4 KiB at most.
constexpr int kMaxRequestBytes = 8 * 1024;
constexpr size_t kMaxBufferBytes = size_t{16} * 1024 * 1024;
// Those who watch keep their connections; whoever checks needs a moment.
constexpr int kMaxStreams = 16;

class OneThreadServer final : public HealthServer {
 public:
  OneThreadServer() = default;
  ~OneThreadServer() override { End(absl::ZeroDuration()); }

  absl::Status Listen(const std::string& address) {
    GH_ASSIGN_OR_RETURN(address_, GrpcAddress::Take(address));
    grpc::ServerBuilder builder;
    address_->AddTo(builder, grpc::InsecureServerCredentials());
    builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
    builder.SetResourceQuota(grpc::ResourceQuota("gatehouse-health").Resize(kMaxBufferBytes));
    SetConnectionLimits(builder, {.max_age = absl::ZeroDuration(), .max_streams = kMaxStreams});
    builder.RegisterAsyncGenericService(&builtin_.generic());
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    if (absl::Status status = address_->Open(server_.get()); !status.ok()) {
      if (server_ != nullptr) server_->Shutdown();
      EndQueue(*queue_);
      server_.reset();
      return status;
    }
    SetServing("", false);
    builtin_.Start(*queue_);
    thread_ = std::thread([this] {
      void* tag = nullptr;
      bool ok = false;
      while (queue_->Next(&tag, &ok)) QueueEvent::FromTag(tag).OnEvent(ok);
    });
    return absl::OkStatus();
  }

  int port() const override { return address_->port(); }

  void SetServing(const std::string& name, bool serving) override {
    builtin_.SetServing(name, serving);
  }
  void Forget(const std::string& issuer) override { builtin_.Forget(issuer); }
  void Drain() override { builtin_.Drain(); }

  void Shutdown(absl::Duration grace) override { End(grace); }

 private:
  void End(absl::Duration grace) {
    if (!thread_.joinable()) return;
    address_->Close();
    builtin_.Shutdown();
    server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(grace));
    // As of GrpcServer: a queue must not be shut down before every call has come back.
    for (int64_t left = in_flight_; left != 0; left = in_flight_) in_flight_.wait(left);
    queue_->Shutdown();
    thread_.join();
  }

  std::atomic<int64_t> in_flight_ = 0;
  BuiltinServices builtin_{in_flight_};
  std::unique_ptr<GrpcAddress> address_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HealthServer>> HealthServer::Start(const std::string& address) {
  auto server = std::make_unique<OneThreadServer>();
  GH_RETURN_IF_ERROR(server->Listen(address));
  return server;
}

}  // namespace gatehouse::frontend
