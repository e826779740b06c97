#include "server/frontend/unary_call.h"

#include <algorithm>
#include <chrono>

namespace gatehouse::frontend {

using engine::KeyNews;

// Shared with the key source, which may call long after this call's place has been
// given to another: the alarm is then a spent one.
struct UnaryCall::Wait {
  grpc::Alarm alarm;
  std::atomic<KeyNews> news = KeyNews::kFailed;
};

UnaryCall::UnaryCall(Worker& worker, const Accept& accept, const Handler& handler,
                     std::atomic<int64_t>& in_flight)
    : worker_(worker), accept_(accept), handler_(handler), in_flight_(in_flight) {
  AcceptNext();
}

void UnaryCall::AcceptNext() {
  state_ = State::kAccepting;
  news_ = KeyNews::kNone;
  request_.Clear();
  responder_.reset();
  context_.emplace();
  responder_.emplace(&*context_);
  accept_(&*context_, &request_, &*responder_, worker_.queue, tag());
}

void UnaryCall::OnEvent(bool ok) {
  switch (state_) {
    case State::kAccepting:
      if (!ok) return;  // the server is shutting down: no call came
      in_flight_.fetch_add(1, std::memory_order_relaxed);
      state_ = State::kHandling;
      handler_(*this);
      return;
    case State::kWaiting:
      news_ = wait_->news.load(std::memory_order_acquire);
      wait_.reset();
      state_ = State::kHandling;
      handler_(*this);
      return;
    case State::kEnding:
      AcceptNext();
      // After the place is armed again: once this is zero nothing more is begun.
      in_flight_.fetch_sub(1, std::memory_order_release);
      return;
    case State::kHandling:
      return;
  }
}

void UnaryCall::Finish(const grpc::ByteBuffer& reply) {
  state_ = State::kEnding;
  responder_->Finish(reply, grpc::Status::OK, tag());
}

void UnaryCall::Fail(const grpc::Status& status) {
  state_ = State::kEnding;
  responder_->FinishWithError(status, tag());
}

void UnaryCall::WaitForKeys(keys::KeySource& source) {
  constexpr auto kLongest = std::chrono::seconds(5);
  state_ = State::kWaiting;
  wait_ = std::make_shared<Wait>();
  wait_->alarm.Set(worker_.queue,
                   std::min(context_->deadline(), std::chrono::system_clock::now() + kLongest),
                   tag());
  // The event comes through the queue, whose one thread is in here, so not before
  // this has returned.
  const bool waits = source.AwaitFetch([wait = wait_](keys::KeySource::Fetched fetched) {
    wait->news.store(
        fetched == keys::KeySource::Fetched::kSucceeded ? KeyNews::kFetched : KeyNews::kFailed,
        std::memory_order_release);
    wait->alarm.Cancel();
  });
  if (!waits) wait_->alarm.Cancel();
}

}  // namespace gatehouse::frontend
