#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "server/base/mutex.h"
#include "server/frontend/queue_event.h"

namespace gatehouse::frontend {

class UnaryCall;

// Calls of one queue that another thread has the answers of, on their way home: whoever sends
// a reply holds the connection while it does, so that a thread which is put aside in the middle,
// or has a thousand to send, would hold up all other replies. Thread-safe.
class EndedCalls final : public QueueEvent {
 public:
  // `in_flight` counts this while it is on its way, as it counts calls.
  EndedCalls(grpc::ServerCompletionQueue& queue, std::atomic<int64_t>& in_flight)
      : queue_(queue), in_flight_(in_flight) {}

  // UnaryCall::SendEnd is called on the queue's thread.
  void Add(UnaryCall& call) GH_EXCLUDES(mu_);
  void OnEvent(bool ok) override GH_EXCLUDES(mu_);

 private:
  grpc::ServerCompletionQueue& queue_;
  std::atomic<int64_t>& in_flight_;
  // Set when the first is added to none: it never runs twice at a time.
  grpc::Alarm alarm_;
  Mutex mu_;
  std::vector<UnaryCall*> calls_ GH_GUARDED_BY(mu_);
  std::vector<UnaryCall*> sending_;  // of the queue's thread
};

}  // namespace gatehouse::frontend
