#include "server/frontend/ended_calls.h"

#include <chrono>

#include "server/frontend/unary_call.h"

namespace gatehouse::frontend {

void EndedCalls::Add(UnaryCall& call) {
  {
    MutexLock lock(mu_);
    calls_.push_back(&call);
    if (calls_.size() > 1) return;
    // Before the call can come home and go: the queue must not end under the alarm.
    in_flight_.fetch_add(1, std::memory_order_relaxed);
  }
  // Long ago: at once. Before 1970 would be never.
  alarm_.Set(&queue_, std::chrono::system_clock::time_point(), tag());
}

void EndedCalls::OnEvent(bool /*ok*/) {
  {
    MutexLock lock(mu_);
    sending_.swap(calls_);
  }
  for (UnaryCall* const call : sending_) call->SendEnd();
  sending_.clear();
  if (in_flight_.fetch_sub(1, std::memory_order_acq_rel) == 1) in_flight_.notify_all();
}

}  // namespace gatehouse::frontend
