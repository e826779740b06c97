#include "server/frontend/grpc_server.h"

#include <grpcpp/health_check_service_interface.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gatehouse/v1/authorization_service.grpc.pb.h"
#include "server/frontend/builtin_services.h"
#include "server/frontend/queue_event.h"
#include "server/frontend/unary_call.h"

namespace gatehouse::frontend {
namespace {

// Bytes in and bytes out: the replies of the hot methods are encoded by hand.
using Rpc = v1::AuthorizationService;
using RawService = Rpc::WithRawMethod_Verify<Rpc::WithRawMethod_Authorize<
    Rpc::WithRawMethod_Revoke<Rpc::WithRawMethod_ListRevocations<Rpc::Service>>>>;

constexpr int kMaxRequestBytes = 1024 * 1024;

struct MethodSlots {
  UnaryCall::Accept accept;
  UnaryCall::Handler handler;
  // Calls of this method that a queue holds ready.
  int slots;
};

class CompletionQueueServer final : public GrpcServer {
 public:
  CompletionQueueServer(AuthorizationService& service, Metrics& metrics)
      : service_(service), metrics_(metrics) {}

  ~CompletionQueueServer() override = default;

  absl::Status Listen(const GrpcOptions& options) {
    grpc::EnableDefaultHealthCheckService(false);
    grpc::ServerBuilder builder;
    builder.AddListeningPort(options.address, grpc::InsecureServerCredentials(), &port_);
    builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
    // Otherwise a second server on the same port would take half of the calls.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.RegisterService(&raw_);
    builder.RegisterAsyncGenericService(&builtin_.generic());
    for (int i = 0; i < options.threads; ++i) queues_.push_back(builder.AddCompletionQueue());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port_ == 0) {
      server_ = nullptr;
      for (auto& queue : queues_) {
        queue->Shutdown();
        Drain(*queue);
      }
      return absl::UnavailableError(absl::StrCat("cannot listen for gRPC on ", options.address,
                                                 ": is the port in use by another program?"));
    }
    SetServing("", false);
    Serve();
    return absl::OkStatus();
  }

  int port() const override { return port_; }

  void SetServing(const std::string& name, bool serving) override {
    builtin_.SetServing(name, serving);
    if (name.empty()) builtin_.SetServing(Rpc::service_full_name(), serving);
  }

  void Shutdown(absl::Duration grace) override {
    // For good: whatever is said later is not heard.
    builtin_.Shutdown();
    // Returns when every call has been ended by its handler, cancelled or not.
    server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(grace));
    // The last endings may still be on their way through the queues, and each asks
    // for one more call first: a queue must not be shut down under that.
    while (in_flight_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
    for (auto& queue : queues_) queue->Shutdown();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  static void Drain(grpc::ServerCompletionQueue& queue) {
    void* tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok)) {
    }
  }

  void Serve() {
    using Service = AuthorizationService;
    const auto handler = [this](void (Service::*method)(UnaryCall&)) {
      return [this, method](UnaryCall& call) { (service_.*method)(call); };
    };
    const auto accept = [this](auto request) {
      return [this, request](grpc::ServerContext* context, grpc::ByteBuffer* bytes,
                             UnaryCall::Responder* responder, grpc::ServerCompletionQueue* queue,
                             void* tag) {
        (raw_.*request)(context, bytes, responder, queue, queue, tag);
      };
    };
    methods_.push_back({accept(&RawService::RequestVerify), handler(&Service::Verify), 200});
    methods_.push_back({accept(&RawService::RequestAuthorize), handler(&Service::Authorize), 200});
    methods_.push_back({accept(&RawService::RequestRevoke), handler(&Service::Revoke), 200});
    methods_.push_back(
        {accept(&RawService::RequestListRevocations), handler(&Service::ListRevocations), 16});
    for (auto& queue : queues_) {
      Worker& worker = workers_.emplace_back();
      worker.queue = queue.get();
      worker.metrics = metrics_.AddThread();
      for (const MethodSlots& method : methods_) {
        for (int i = 0; i < method.slots; ++i) {
          calls_.push_back(
              std::make_unique<UnaryCall>(worker, method.accept, method.handler, in_flight_));
        }
      }
      builtin_.Start(*queue);
      threads_.emplace_back([&queue] {
        void* tag = nullptr;
        bool ok = false;
        while (queue->Next(&tag, &ok)) QueueEvent::FromTag(tag).OnEvent(ok);
      });
    }
  }

  AuthorizationService& service_;
  Metrics& metrics_;
  RawService raw_;
  int port_ = 0;
  std::atomic<int64_t> in_flight_ = 0;
  BuiltinServices builtin_{{v1::VerifyRequest::descriptor()->file()}, in_flight_};
  // Constant after Listen. Calls go before the queues and the server they use.
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<MethodSlots> methods_;
  std::deque<Worker> workers_;
  std::vector<std::unique_ptr<UnaryCall>> calls_;
  std::vector<std::thread> threads_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcOptions& options,
                                                              AuthorizationService& service,
                                                              Metrics& metrics) {
  auto server = std::make_unique<CompletionQueueServer>(service, metrics);
  if (absl::Status status = server->Listen(options); !status.ok()) return status;
  return server;
}

}  // namespace gatehouse::frontend
