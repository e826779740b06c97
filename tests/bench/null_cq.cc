#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "empty.grpc.pb.h"
#include "envoy/service/auth/v3/external_auth.grpc.pb.h"
#include "gatehouse/v1/authorization_service.grpc.pb.h"
#include "tests/bench/null_reply.h"
#include "tests/bench/null_server.h"

namespace gatehouse::bench {
namespace {

// What a completion queue hands back.
class Event {
 public:
  virtual ~Event() = default;
  // False when the call has ended for good.
  virtual bool Proceed(bool ok) = 0;
};

struct Services {
  v1::AuthorizationService::AsyncService authorization;
  EmptyService::AsyncService empty;
  envoy::service::auth::v3::Authorization::AsyncService envoy;
};

struct VerifyMethod {
  using Request = v1::VerifyRequest;
  using Reply = v1::VerifyResponse;
  static void Prepare(Reply& reply) { FillReply(reply); }
  static void Ask(Services& services, grpc::ServerContext* context, Request* request,
                  grpc::ServerAsyncResponseWriter<Reply>* writer,
                  grpc::ServerCompletionQueue* queue, void* tag) {
    services.authorization.RequestVerify(context, request, writer, queue, queue, tag);
  }
};

struct AuthorizeMethod {
  using Request = v1::AuthorizeRequest;
  using Reply = v1::AuthorizeResponse;
  static void Prepare(Reply& reply) { FillReply(reply); }
  static void Ask(Services& services, grpc::ServerContext* context, Request* request,
                  grpc::ServerAsyncResponseWriter<Reply>* writer,
                  grpc::ServerCompletionQueue* queue, void* tag) {
    services.authorization.RequestAuthorize(context, request, writer, queue, queue, tag);
  }
};

struct BatchMethod {
  using Request = v1::BatchAuthorizeRequest;
  using Reply = v1::BatchAuthorizeResponse;
  static void Prepare(Reply& reply) { FillReply(reply, 0); }
  static void Ask(Services& services, grpc::ServerContext* context, Request* request,
                  grpc::ServerAsyncResponseWriter<Reply>* writer,
                  grpc::ServerCompletionQueue* queue, void* tag) {
    services.authorization.RequestBatchAuthorize(context, request, writer, queue, queue, tag);
  }
};

struct CheckMethod {
  using Request = envoy::service::auth::v3::CheckRequest;
  using Reply = envoy::service::auth::v3::CheckResponse;
  static void Prepare(Reply& reply) { FillReply(reply); }
  static void Ask(Services& services, grpc::ServerContext* context, Request* request,
                  grpc::ServerAsyncResponseWriter<Reply>* writer,
                  grpc::ServerCompletionQueue* queue, void* tag) {
    services.envoy.RequestCheck(context, request, writer, queue, queue, tag);
  }
};

struct EmptyMethod {
  using Request = Nothing;
  using Reply = Nothing;
  static void Prepare(Reply& /*reply*/) {}
  static void Ask(Services& services, grpc::ServerContext* context, Request* request,
                  grpc::ServerAsyncResponseWriter<Reply>* writer,
                  grpc::ServerCompletionQueue* queue, void* tag) {
    services.empty.RequestCall(context, request, writer, queue, queue, tag);
  }
};

// Makes a prepared reply fit the request.
template <typename Request, typename Reply>
void Fit(const Request& /*request*/, Reply& /*reply*/) {}
void Fit(const v1::BatchAuthorizeRequest& request, v1::BatchAuthorizeResponse& reply) {
  if (reply.decisions_size() != request.checks_size()) FillReply(reply, request.checks_size());
}

// One request outstanding or one reply under way, over and over.
template <typename Method>
class Call final : public Event {
 public:
  Call(Services& services, grpc::ServerCompletionQueue* queue)
      : services_(services), queue_(queue) {
    Method::Prepare(reply_);
    Ask();
  }

  bool Proceed(bool ok) override {
    if (!asking_) {
      Ask();
      return true;
    }
    if (!ok) return false;  // The server is shutting down.
    asking_ = false;
    Fit(request_, reply_);
    writer_->Finish(reply_, grpc::Status::OK, this);
    return true;
  }

 private:
  void Ask() {
    asking_ = true;
    writer_.reset();
    context_.emplace();
    writer_.emplace(&*context_);
    Method::Ask(services_, &*context_, &request_, &*writer_, queue_, this);
  }

  Services& services_;
  grpc::ServerCompletionQueue* const queue_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<typename Method::Reply>> writer_;
  typename Method::Request request_;
  typename Method::Reply reply_;
  bool asking_ = false;
};

// Each one asked for makes every event dearer (see null_server.cc), and few batches are
// under way at once.
constexpr int kOutstandingBatches = 8;

// One thread, its queue and its calls.
class Worker {
 public:
  Worker(Services& services, std::unique_ptr<grpc::ServerCompletionQueue> queue, int outstanding)
      : services_(services), queue_(std::move(queue)), outstanding_(outstanding) {}

  void Start() {
    thread_ = std::thread([this] { Run(); });
  }

  void Join() {
    // Not before the last call has ended: asking on a queue that is shut down
    // aborts the process.
    all_ended_.get_future().wait();
    queue_->Shutdown();
    thread_.join();
  }

 private:
  void Run() {
    for (int i = 0; i < outstanding_; ++i) {
      verify_.emplace_back(services_, queue_.get());
      authorize_.emplace_back(services_, queue_.get());
      empty_.emplace_back(services_, queue_.get());
      check_.emplace_back(services_, queue_.get());
    }
    for (int i = 0; i < kOutstandingBatches; ++i) batch_.emplace_back(services_, queue_.get());
    void* tag = nullptr;
    bool ok = false;
    int live = 4 * outstanding_ + kOutstandingBatches;
    while (queue_->Next(&tag, &ok)) {
      if (static_cast<Event*>(tag)->Proceed(ok)) continue;
      if (--live == 0) all_ended_.set_value();
    }
  }

  Services& services_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const int outstanding_;
  std::deque<Call<VerifyMethod>> verify_;
  std::deque<Call<AuthorizeMethod>> authorize_;
  std::deque<Call<EmptyMethod>> empty_;
  std::deque<Call<BatchMethod>> batch_;
  std::deque<Call<CheckMethod>> check_;
  std::promise<void> all_ended_;
  std::thread thread_;
};

class CompletionQueueServer final : public NullServer {
 public:
  CompletionQueueServer(int threads, int outstanding)
      : threads_(threads), outstanding_(outstanding) {}

  void Register(grpc::ServerBuilder& builder) override {
    builder.RegisterService(&services_.authorization);
    builder.RegisterService(&services_.empty);
    builder.RegisterService(&services_.envoy);
    for (int i = 0; i < threads_; ++i) {
      workers_.push_back(
          std::make_unique<Worker>(services_, builder.AddCompletionQueue(), outstanding_));
    }
  }
  void Start() override {
    for (auto& worker : workers_) worker->Start();
  }
  void Join() override {
    for (auto& worker : workers_) worker->Join();
  }

 private:
  const int threads_;
  const int outstanding_;
  Services services_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace

std::unique_ptr<NullServer> MakeCompletionQueueServer(int threads, int outstanding) {
  return std::make_unique<CompletionQueueServer>(threads, outstanding);
}

}  // namespace gatehouse::bench
