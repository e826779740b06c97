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

Worker& UnaryCall::worker() { return pool_.worker_; }

void UnaryCall::Accept() {
  state_ = State::kAccepting;
  deferred_ = false;
  news_ = KeyNews::kNone;
  request_.Clear();
  responder_.reset();
  context_.emplace();
  responder_.emplace(&*context_);
  pool_.accept_(&*context_, &request_, &*responder_, pool_.worker_.queue, this);
}

void UnaryCall::OnEvent(bool ok) {
  switch (state_) {
    case State::kAccepting:
      if (!ok) return;  // the server is shutting down: no call came
      pool_.in_flight_.fetch_add(1, std::memory_order_relaxed);
      state_ = State::kHandling;
      pool_.handler_(*this);
      return;
    case State::kWaiting:
      news_ = wait_->news.load(std::memory_order_acquire);
      wait_.reset();
      state_ = State::kHandling;
      pool_.handler_(*this);
      return;
    case State::kEnding:
      pool_.Return(*this);
      return;
    case State::kHandling:
      return;
  }
}

void UnaryCall::Finish(const grpc::ByteBuffer& reply) {
  state_ = State::kEnding;
  responder_->Finish(reply, grpc::Status::OK, this);
}

void UnaryCall::Fail(const grpc::Status& status) {
  state_ = State::kEnding;
  responder_->FinishWithError(status, this);
}

void UnaryCall::Defer() {
  if (deferred_) return;
  deferred_ = true;
  --pool_.accepting_;
  pool_.TopUp();
}

void UnaryCall::WaitForKeys(keys::KeySource& source) {
  constexpr auto kLongest = std::chrono::seconds(5);
  Defer();
  state_ = State::kWaiting;
  wait_ = std::make_shared<Wait>();
  wait_->alarm.Set(pool_.worker_.queue,
                   std::min(context_->deadline(), std::chrono::system_clock::now() + kLongest),
                   this);
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

void CallPool::Start(int ready) {
  ready_ = ready;
  while (accepting_ < ready_) TopUp();
}

void CallPool::TopUp() {
  if (accepting_ >= ready_) return;
  if (idle_.empty()) {
    idle_.push_back(calls_.emplace_back(std::make_unique<UnaryCall>(*this)).get());
  }
  UnaryCall* call = idle_.back();
  idle_.pop_back();
  ++accepting_;
  call->Accept();
}

void CallPool::Return(UnaryCall& call) {
  if (!call.deferred_) --accepting_;
  idle_.push_back(&call);
  TopUp();
  // After the next call is asked for: once this is zero nothing more is begun.
  in_flight_.fetch_sub(1, std::memory_order_release);
}

}  // namespace gatehouse::frontend
