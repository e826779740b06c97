#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "server/engine/authorizer.h"
#include "server/frontend/callers.h"
#include "server/frontend/cold_work.h"
#include "server/frontend/ended_calls.h"
#include "server/frontend/fair_waits.h"
#include "server/frontend/metrics.h"
#include "server/frontend/peer.h"
#include "server/frontend/queue_event.h"
#include "server/frontend/reply.h"
#include "server/frontend/ruleset.h"
#include "server/frontend/shares.h"
#include "server/keys/key_source.h"
#include "server/revocation/change_feed.h"

namespace gatehouse::frontend {

// Those who wait for keys, on all threads. Together they are fewer than one source of
// keys has places for, so that it never has to choose among callers itself; and half of
// a pool's places at most, so that there is always room for tokens that are known.
// Revocations are not crowded out by questions, nor is what proxies ask. Requests of each
// kind are kept up to UnaryCall::MaxKeptBytes: 480 MiB in all.
struct KeyWaits {
  FairWaits& Of(ColdWork::Lane lane) {
    if (lane == ColdWork::Lane::kRevocations) return revocations;
    if (lane == ColdWork::Lane::kChecks) return checks;
    return lane == ColdWork::Lane::kLargeQuestions ? large_questions : questions;
  }

  FairWaits questions{3584};
  FairWaits large_questions{512};
  FairWaits revocations{2048};
  FairWaits checks{1024};
};

// What a serving thread has for itself alone, and the waits of all.
struct Worker {
  Worker(grpc::ServerCompletionQueue& its_queue, ThreadMetrics& its_metrics, KeyWaits& all_waits,
         const Rulesets& rulesets, std::atomic<int64_t>& in_flight)
      : queue(&its_queue),
        metrics(&its_metrics),
        waits(all_waits),
        rules(rulesets),
        ended(its_queue, in_flight) {}

  grpc::ServerCompletionQueue* const queue;
  ThreadMetrics* const metrics;
  KeyWaits& waits;
  Rulesets::Reader rules;
  DecisionIds ids;
  CallerMemory known_callers;
  ColdWork cold;
  EndedCalls ended;
};

class CallPool;

// A place for one call of one method on one queue, used for one call after
// another. Bytes in and bytes out; what they mean is the handler's business.
//
// The queue's thread runs the handler. It must end the call with exactly one Finish,
// Fail or Refuse, now; or after Defer, later and from any thread; or put it off with
// GoCold or WaitForKeys, after which the handler runs again.
class UnaryCall final : public QueueEvent, public ColdItem {
 public:
  using Responder = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;

  explicit UnaryCall(CallPool& pool) : pool_(pool) {}

  void OnEvent(bool ok) override;

  // For handlers.
  const grpc::ByteBuffer& request() const { return request_; }
  const grpc::ServerContext& context() const { return *context_; }
  grpc::ServerContext& context() { return *context_; }
  Worker& worker();
  // When it came, on the steady clock.
  int64_t started_nanos() const { return started_nanos_; }
  // What it is answered by: that which was in force when it came, until it is ended.
  // Callers, issuers and key sources live as long.
  const Ruleset& rules() const { return *rules_; }
  // Who calls, one of rules(); null until it is set.
  const Caller* caller() const { return caller_; }
  void set_caller(const Caller& caller) { caller_ = &caller; }
  bool IsPastDeadline() const;
  // Whether it is this call's turn for work that takes its time.
  engine::Effort effort() const {
    return cold_ ? engine::Effort::kFull : engine::Effort::kKnownOnly;
  }
  // What came of the last WaitForKeys.
  engine::KeyNews news() const { return news_; }

  // `counted`: what the metrics know it by.
  void Finish(const grpc::ByteBuffer& reply, grpc::StatusCode counted = grpc::StatusCode::OK);
  // Of a method that answers OK always: with the reply that its pool makes of `status`.
  void Fail(const grpc::Status& status);
  // Fails it with the status that belongs to `reason`, and counts that.
  void Refuse(Refusal reason);
  // Before the call is handed to another thread to be ended there: what that says is sent on
  // the queue's thread. Another call is accepted in its place, and the request's bytes are
  // given back.
  void Defer();
  // Runs the handler again with Effort::kFull when it is this call's turn, or refuses
  // it, or another one, now. Another call is accepted in its place. Ends the handler.
  void GoCold(ColdWork::Lane lane);
  // Runs the handler again when `source` has fetched, with the news; or, with
  // kFailed, shortly before the call's deadline or after 5 s; or fails it with UNAVAILABLE
  // when it is to be given up. Where too many wait, one of
  // those that have most is failed with UNAVAILABLE, as if its keys could not be had.
  // Holds no thread, and another call is accepted in its place. Ends the handler.
  void WaitForKeys(keys::KeySource& source, ColdWork::Lane lane);

  // Runs the handler again when `feed` has come to `revision`, or shortly before the call's
  // deadline or after 5 s; refuses it where its caller has its share of such waits already.
  // Holds no thread, and another call is accepted in its place. Ends the handler.
  void WaitForRevision(revocation::ChangeFeed& feed, int64_t revision, Shares& waits);
  bool waited_for_revision() const { return waited_for_revision_; }
  // How long a request of a lane may be and still wait.
  static size_t MaxKeptBytes(ColdWork::Lane lane);

  // For the queue's thread, after another has ended the call.
  void SendEnd();
  // The same, when it is this call's turn.
  void RunCold();
  // The same, when it has waited too long for that.
  void GiveUp();
  // What the time of giving up is on.
  static int64_t NowNanos();
  // How long after `now` a call of a method that answers OK always is given up: half of the
  // time that it was given, and 100 ms at most. Both are on the same clock.
  static int64_t NanosToGivingUp(gpr_timespec deadline, gpr_timespec now);

 private:
  friend class CallPool;
  enum class State { kAccepting, kHandling, kCold, kWaiting, kEnding };
  struct Wait;
  // The client has gone, or everything was sent.
  class Done final : public QueueEvent {
   public:
    explicit Done(UnaryCall& call) : call_(call) {}
    void OnEvent(bool /*ok*/) override { call_.OnDone(); }

   private:
    UnaryCall& call_;
  };

  // Asks gRPC for the next call.
  void Accept();
  void OnDone();
  void OnWaited();
  void OnWaitedForKeys(const Wait& wait);
  // One event fewer is to come; after the last one the place is free.
  void CameIn();
  // When it is to be given up: never, unless its method answers OK always.
  int64_t GiveUpTime() const;
  bool is_hurried() const { return give_up_nanos_ != ColdWork::kNever; }
  // Lets another call be accepted in this one's place. Once a call; on the queue's
  // thread.
  void MakeRoom();
  // False if the request takes too much memory to be kept; the call is then refused.
  // Moves a question that takes much to the lane of those.
  bool CanBeKept(ColdWork::Lane& lane);
  void End(grpc::StatusCode status);
  void SendReply(const grpc::ByteBuffer& reply, grpc::StatusCode counted);
  void SendFailure(const grpc::Status& status);

  CallPool& pool_;
  Done done_{*this};
  State state_ = State::kAccepting;
  bool deferred_ = false;
  bool cold_ = false;
  bool waited_ = false;
  bool waited_for_revision_ = false;
  bool gone_ = false;
  // Ended by another thread, with this. Nothing else here is touched by that one.
  bool elsewhere_ = false;
  struct Ending {
    grpc::ByteBuffer reply;
    grpc::Status status;  // a failure's
    grpc::StatusCode counted = grpc::StatusCode::OK;
  };
  std::optional<Ending> ending_;
  // Events to come.
  int pending_ = 0;
  grpc::StatusCode status_ = grpc::StatusCode::OK;
  int64_t started_nanos_ = 0;
  int64_t give_up_nanos_ = ColdWork::kNever;
  // 0 unless the reply waits to be taken by the client.
  int64_t ending_since_nanos_ = 0;
  std::optional<grpc::ServerContext> context_;
  std::optional<Responder> responder_;
  grpc::ByteBuffer request_;
  std::shared_ptr<const Ruleset> rules_;
  const Caller* caller_ = nullptr;
  size_t caller_number_ = ThreadMetrics::kUnknownCaller;  // when it has ended
  engine::KeyNews news_ = engine::KeyNews::kNone;
  std::shared_ptr<Wait> wait_;
};

// The places of one method on one queue, kMaxCalls at most. `ready` of them are
// accepting calls; one that has a call does not count, so that forged tokens that
// wait for keys, and clients that do not take their replies, keep no good call out.
// When there are no more places, the call whose reply has waited longest to be taken
// is cancelled for each new one. For the queue's thread alone.
class CallPool {
 public:
  static constexpr size_t kMaxCalls = 8192;

  // Asks gRPC for the next call of the method.
  using Accept = std::function<void(grpc::ServerContext*, grpc::ByteBuffer*, UnaryCall::Responder*,
                                    grpc::ServerCompletionQueue*, void* tag)>;
  using Handler = std::function<void(UnaryCall&)>;
  // What a call that fails is answered, with status OK.
  using FailureReply = std::function<grpc::ByteBuffer(const UnaryCall&, const grpc::Status&)>;

  // All outlive the pool. `in_flight` counts the calls that were asked for and have
  // not ended; it is notified when it reaches zero, which only a shutdown brings.
  // `failure_reply`: of a method that answers OK always, and in time; else null.
  CallPool(Worker& worker, Method method, Accept accept, Handler handler, const Clock& clock,
           std::atomic<int64_t>& in_flight, FailureReply failure_reply = nullptr)
      : worker_(worker),
        method_(method),
        clock_(clock),
        accept_(std::move(accept)),
        handler_(std::move(handler)),
        failure_reply_(std::move(failure_reply)),
        in_flight_(in_flight) {}

  // Begins to accept.
  void Start(int ready);

 private:
  friend class UnaryCall;

  // Accepts one more if fewer than `ready_` are accepted.
  void TopUp();
  // `call` has ended.
  void Return(UnaryCall& call);
  void CancelOldest();
  // How `call` has ended.
  void Count(const UnaryCall& call);
  // One call fewer is in flight.
  void Land();

  Worker& worker_;
  const Method method_;
  const Clock& clock_;
  const Accept accept_;
  const Handler handler_;
  const FailureReply failure_reply_;
  std::atomic<int64_t>& in_flight_;
  int ready_ = 0;
  int accepting_ = 0;
  std::vector<std::unique_ptr<UnaryCall>> calls_;
  std::vector<UnaryCall*> idle_;
};

}  // namespace gatehouse::frontend
