#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "server/engine/authorizer.h"
#include "server/frontend/metrics.h"
#include "server/frontend/queue_event.h"
#include "server/frontend/reply.h"
#include "server/keys/key_source.h"

namespace gatehouse::frontend {

// What a serving thread has for itself alone.
struct Worker {
  grpc::ServerCompletionQueue* queue = nullptr;
  ThreadMetrics* metrics = nullptr;
  DecisionIds ids;
};

// A place for one call of one method on one queue, used for one call after
// another. Bytes in and bytes out; what they mean is the handler's business.
//
// The queue's thread runs the handler, which must end the call, now or later and
// from any thread, with exactly one Finish or Fail, or put it off with WaitForKeys.
class UnaryCall final : public QueueEvent {
 public:
  using Responder = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;
  // Asks gRPC for the next call of the method.
  using Accept = std::function<void(grpc::ServerContext*, grpc::ByteBuffer*, Responder*,
                                    grpc::ServerCompletionQueue*, void* tag)>;
  using Handler = std::function<void(UnaryCall&)>;

  // All outlive the call. `in_flight` counts calls that have come and not ended.
  UnaryCall(Worker& worker, const Accept& accept, const Handler& handler,
            std::atomic<int64_t>& in_flight);

  void OnEvent(bool ok) override;

  // For handlers.
  const grpc::ByteBuffer& request() const { return request_; }
  const grpc::ServerContext& context() const { return *context_; }
  Worker& worker() { return worker_; }
  // What came of the last WaitForKeys.
  engine::KeyNews news() const { return news_; }

  void Finish(const grpc::ByteBuffer& reply);
  void Fail(const grpc::Status& status);
  // Runs the handler again when `source` has fetched, with the news; or, with
  // kFailed, when the call's deadline or 5 s have passed or too many wait already.
  // Holds no thread. At most once a call.
  void WaitForKeys(keys::KeySource& source);

 private:
  enum class State { kAccepting, kHandling, kWaiting, kEnding };
  struct Wait;

  void AcceptNext();

  Worker& worker_;
  const Accept& accept_;
  const Handler& handler_;
  std::atomic<int64_t>& in_flight_;
  State state_ = State::kAccepting;
  std::optional<grpc::ServerContext> context_;
  std::optional<Responder> responder_;
  grpc::ByteBuffer request_;
  engine::KeyNews news_ = engine::KeyNews::kNone;
  std::shared_ptr<Wait> wait_;
};

}  // namespace gatehouse::frontend
