#include "server/frontend/grpc_server.h"

#include <grpcpp/alarm.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "envoy/service/auth/v3/external_auth.grpc.pb.h"
#include "gatehouse/v1/authorization_service.grpc.pb.h"
#include "server/base/status_macros.h"
#include "server/frontend/builtin_services.h"
#include "server/frontend/connection_limits.h"
#include "server/frontend/ext_authz_service.h"
#include "server/frontend/grpc_address.h"
#include "server/frontend/queue_event.h"
#include "server/frontend/unary_call.h"
#include "server/frontend/watch_hub.h"

namespace gatehouse::frontend {
namespace {

// Bytes in and bytes out: the replies of the hot methods are encoded by hand.
using Rpc = v1::AuthorizationService;
using RawService = Rpc::WithRawMethod_Verify<
    Rpc::WithRawMethod_Authorize<Rpc::WithRawMethod_BatchAuthorize<Rpc::WithRawMethod_Filter<
        Rpc::WithRawMethod_Revoke<Rpc::WithRawMethod_Reinstate<Rpc::WithRawMethod_ListRevocations<
            Rpc::WithRawMethod_ImportRevocations<Rpc::WithRawMethod_BackupRevocations<
                Rpc::WithRawMethod_Watch<Rpc::Service>>>>>>>>>>;

// What Envoy asks.
using EnvoyRpc = envoy::service::auth::v3::Authorization;
using RawEnvoyService = EnvoyRpc::WithRawMethod_Check<EnvoyRpc::Service>;

// A token has 8 KiB at most, and each other field 4 KiB. Questions may be kept whole.
constexpr int kMaxRequestBytes = 128 * 1024;

// What all connections' buffers are to take: gRPC reads a whole message before anybody
// knows who sends it. Beyond, it takes less from each connection and ends calls and
// idle connections; what it has already let one connection send still comes.
constexpr size_t kMaxBufferBytes = size_t{256} * 1024 * 1024;

// Calls of one method that a queue holds ready. More than come between two looks at
// the queue are of no use, and each event costs a search among those of all methods.
constexpr int kReady = 32;
// Of a method that is called seldom, or whose every call is long.
constexpr int kReadySeldom = 4;

// Has a serving thread look for another ruleset, whether or not a call comes to it.
class RulesNews final : public QueueEvent {
 public:
  // `in_flight` counts this while it is on its way, as it counts calls.
  RulesNews(Worker& worker, std::atomic<int64_t>& in_flight)
      : worker_(worker), in_flight_(in_flight) {}

  // Thread-safe.
  void Send() {
    if (sent_.exchange(true)) return;  // that one will find the newest too
    in_flight_.fetch_add(1, std::memory_order_relaxed);
    alarm_.Set(worker_.queue, std::chrono::system_clock::now(), tag());
  }

  void OnEvent(bool /*ok*/) override {
    sent_ = false;
    worker_.rules.Current();
    if (in_flight_.fetch_sub(1, std::memory_order_acq_rel) == 1) in_flight_.notify_all();
  }

 private:
  Worker& worker_;
  std::atomic<int64_t>& in_flight_;
  std::atomic<bool> sent_ = false;
  grpc::Alarm alarm_;
};

class CompletionQueueServer final : public GrpcServer {
 public:
  CompletionQueueServer(AuthorizationService& service, Metrics& metrics, const Clock& clock)
      : service_(service), check_(clock), metrics_(metrics), clock_(clock) {}

  ~CompletionQueueServer() override = default;

  absl::Status Listen(const GrpcOptions& options) {
    grpc::EnableDefaultHealthCheckService(false);
    GH_ASSIGN_OR_RETURN(address_, GrpcAddress::Take(options.address));
    grpc::ServerBuilder builder;
    credentials_ = options.credentials;
    if (credentials_ == nullptr) return absl::InternalError("no credentials for the gRPC port");
    address_->AddTo(builder, credentials_);
    builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
    builder.SetResourceQuota(grpc::ResourceQuota("gatehouse").Resize(kMaxBufferBytes));
    SetConnectionLimits(builder, options.connections, options.encrypted);
    builder.RegisterService(&raw_);
    builder.RegisterService(&raw_envoy_);
    builder.RegisterAsyncGenericService(&builtin_.generic());
    for (int i = 0; i < options.threads; ++i) queues_.push_back(builder.AddCompletionQueue());
    server_ = builder.BuildAndStart();
    if (absl::Status status = address_->Open(server_.get()); !status.ok()) {
      if (server_ != nullptr) server_->Shutdown();
      for (auto& queue : queues_) EndQueue(*queue);
      server_.reset();
      return status;
    }
    SetServing("", false);
    StartThreads();
    return absl::OkStatus();
  }

  int port() const override { return address_->port(); }

  void SetServing(const std::string& name, bool serving) override {
    builtin_.SetServing(name, serving);
    if (!name.empty()) return;
    builtin_.SetServing(Rpc::service_full_name(), serving);
    builtin_.SetServing(EnvoyRpc::service_full_name(), serving);
  }

  void Forget(const std::string& issuer) override { builtin_.Forget(issuer); }

  void Refresh() override {
    for (RulesNews& news : news_) news.Send();
  }

  void Shutdown(absl::Duration grace) override {
    address_->Close();
    // For good: whatever is said later is not heard.
    builtin_.Shutdown();
    for (const auto& hub : hubs_) hub->Shutdown();
    service_.feed().EndWaits();
    // Returns when every call has been ended by its handler, cancelled or not.
    server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(grace));
    // Endings may still be on their way through the queues, and each asks for one more
    // call first. A queue must not be shut down under that: every call that was asked
    // for comes back before.
    for (int64_t left = in_flight_; left != 0; left = in_flight_) in_flight_.wait(left);
    for (auto& queue : queues_) queue->Shutdown();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  // Looks for an event without waiting. One look may be in vain: a queue that took in
  // the end of a call on this very thread comes back from the next look without having
  // read from any connection.
  static bool IsReady(grpc::ServerCompletionQueue& queue, void*& tag, bool& ok) {
    return queue.AsyncNext(&tag, &ok, gpr_time_0(GPR_CLOCK_MONOTONIC)) ==
           grpc::CompletionQueue::GOT_EVENT;
  }

  static void GiveUpOverdue(ColdWork& cold) {
    if (!cold.has_hurried()) return;
    const int64_t now = UnaryCall::NowNanos();
    while (ColdItem* const item = cold.PopOverdue(now)) static_cast<UnaryCall*>(item)->GiveUp();
  }

  // What a thread does until its queue is shut down, when no call is left. Cold work
  // waits while other events are ready, but not for ever.
  static void Serve(Worker& worker) {
    void* tag = nullptr;
    bool ok = false;
    ColdTurns turns;
    while (true) {
      bool had_event = true;
      if (worker.cold.empty()) {
        if (!worker.queue->Next(&tag, &ok)) return;
      } else {
        had_event = IsReady(*worker.queue, tag, ok) || IsReady(*worker.queue, tag, ok);
      }
      if (had_event) QueueEvent::FromTag(tag).OnEvent(ok);
      GiveUpOverdue(worker.cold);
      if (!turns.IsDue(had_event)) continue;
      if (ColdItem* const item = worker.cold.Pop(); item != nullptr) {
        static_cast<UnaryCall*>(item)->RunCold();
      }
    }
  }

  // `right`: what a call needs, unless the method sees to that.
  template <typename Request>
  void AddPool(Worker& worker, Method which, int ready, std::optional<config::Right> right,
               Request request, void (AuthorizationService::*method)(UnaryCall&)) {
    auto accept = [this, request](grpc::ServerContext* context, grpc::ByteBuffer* bytes,
                                  UnaryCall::Responder* responder,
                                  grpc::ServerCompletionQueue* queue, void* tag) {
      (raw_.*request)(context, bytes, responder, queue, queue, tag);
    };
    pools_
        .emplace_back(std::make_unique<CallPool>(
            worker, which, std::move(accept),
            [this, method, right](UnaryCall& call) {
              if (call.caller() == nullptr && !service_.Admit(call, right)) return;
              (service_.*method)(call);
            },
            clock_, in_flight_))
        ->Start(ready);
  }

  void AddCheckPool(Worker& worker) {
    auto accept = [this](grpc::ServerContext* context, grpc::ByteBuffer* bytes,
                         UnaryCall::Responder* responder, grpc::ServerCompletionQueue* queue,
                         void* tag) {
      raw_envoy_.RequestCheck(context, bytes, responder, queue, queue, tag);
    };
    pools_
        .emplace_back(std::make_unique<CallPool>(
            worker, Method::kCheck, std::move(accept),
            [this](UnaryCall& call) {
              if (call.caller() == nullptr && !service_.Admit(call, config::Right::kCheck)) return;
              check_.Check(call);
            },
            clock_, in_flight_,
            [this](const UnaryCall& call, const grpc::Status& status) {
              return check_.ReplyTo(call, status);
            }))
        ->Start(kReady);
  }

  void StartThreads() {
    using config::Right;
    using Service = AuthorizationService;
    for (auto& queue : queues_) {
      Worker& worker = workers_.emplace_back(*queue, *metrics_.AddThread(), waits_,
                                             service_.rulesets(), in_flight_);
      AddPool(worker, Method::kVerify, kReady, Right::kVerify, &RawService::RequestVerify,
              &Service::Verify);
      AddPool(worker, Method::kAuthorize, kReady, Right::kAuthorize, &RawService::RequestAuthorize,
              &Service::Authorize);
      AddPool(worker, Method::kBatchAuthorize, kReadySeldom, Right::kAuthorize,
              &RawService::RequestBatchAuthorize, &Service::BatchAuthorize);
      AddPool(worker, Method::kFilter, kReadySeldom, Right::kFilter, &RawService::RequestFilter,
              &Service::Filter);
      AddPool(worker, Method::kRevoke, kReady, std::nullopt, &RawService::RequestRevoke,
              &Service::Revoke);
      AddPool(worker, Method::kReinstate, kReadySeldom, Right::kReinstate,
              &RawService::RequestReinstate, &Service::Reinstate);
      AddPool(worker, Method::kListRevocations, kReadySeldom, Right::kList,
              &RawService::RequestListRevocations, &Service::ListRevocations);
      AddPool(worker, Method::kImportRevocations, kReadySeldom, Right::kAdmin,
              &RawService::RequestImportRevocations, &Service::ImportRevocations);
      AddPool(worker, Method::kBackupRevocations, kReadySeldom, Right::kAdmin,
              &RawService::RequestBackupRevocations, &Service::BackupRevocations);
      AddCheckPool(worker);
      hubs_
          .emplace_back(std::make_unique<WatchHub>(
              worker, service_, watchers_, metrics_.watch(), clock_, in_flight_,
              [this](grpc::ServerContext* context, WatchCall::Stream* stream,
                     grpc::ServerCompletionQueue* its_queue,
                     void* tag) { raw_.RequestWatch(context, stream, its_queue, its_queue, tag); }))
          ->Start();
      builtin_.Start(*queue);
      news_.emplace_back(worker, in_flight_);
      threads_.emplace_back([&worker] { Serve(worker); });
    }
  }

  AuthorizationService& service_;
  ExtAuthzService check_;
  Metrics& metrics_;
  const Clock& clock_;
  KeyWaits waits_;
  Watchers watchers_;
  RawService raw_;
  RawEnvoyService raw_envoy_;
  std::unique_ptr<GrpcAddress> address_;
  std::atomic<int64_t> in_flight_ = 0;
  BuiltinServices builtin_{{v1::VerifyRequest::descriptor()->file(),
                            envoy::service::auth::v3::CheckRequest::descriptor()->file()},
                           in_flight_};
  // Constant after Listen. Pools go before the queues and the server they use.
  std::shared_ptr<grpc::ServerCredentials> credentials_;  // the server does not hold them
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
  std::unique_ptr<grpc::Server> server_;
  std::deque<Worker> workers_;
  std::deque<RulesNews> news_;
  std::vector<std::unique_ptr<CallPool>> pools_;
  std::vector<std::unique_ptr<WatchHub>> hubs_;
  std::vector<std::thread> threads_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const GrpcOptions& options,
                                                              AuthorizationService& service,
                                                              Metrics& metrics,
                                                              const Clock& clock) {
  auto server = std::make_unique<CompletionQueueServer>(service, metrics, clock);
  if (absl::Status status = server->Listen(options); !status.ok()) return status;
  return server;
}

}  // namespace gatehouse::frontend
