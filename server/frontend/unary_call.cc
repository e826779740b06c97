#include "server/frontend/unary_call.h"

#include <algorithm>
#include <chrono>
#include <utility>

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
  started_nanos_ = 0;
  context_.emplace();
  responder_.emplace(&*context_);
  pool_.in_flight_.fetch_add(1, std::memory_order_relaxed);
  pool_.accept_(&*context_, &request_, &*responder_, pool_.worker_.queue, tag());
}

void UnaryCall::OnEvent(bool ok) {
  switch (state_) {
    case State::kAccepting:
      if (!ok) return pool_.Land();  // the server is shutting down: no call came
      started_nanos_ = pool_.clock_.SteadyNanos();
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
  End();
  responder_->Finish(reply, grpc::Status::OK, tag());
}

void UnaryCall::Fail(const grpc::Status& status) {
  failed_ = true;
  End();
  responder_->FinishWithError(status, tag());
}

// The end comes only when the client has taken the reply, and a client may never do
// that: its place must not be missed until then.
void UnaryCall::End() {
  request_.Clear();
  MakeRoom();
  ending_since_nanos_.store(pool_.clock_.SteadyNanos(), std::memory_order_relaxed);
  state_ = State::kEnding;
}

void UnaryCall::Defer() {
  request_.Clear();
  MakeRoom();
}

void UnaryCall::MakeRoom() {
  if (deferred_) return;
  deferred_ = true;
  --pool_.accepting_;
  pool_.TopUp();
}

void UnaryCall::WaitForKeys(keys::KeySource& source) {
  constexpr auto kLongest = std::chrono::seconds(5);
  constexpr size_t kMaxWaitingBytes = size_t{64} * 1024;
  if (request_.Length() > kMaxWaitingBytes) {
    return Fail({grpc::StatusCode::RESOURCE_EXHAUSTED,
                 "a request over 64 KiB cannot wait for the issuer's keys"});
  }
  MakeRoom();
  state_ = State::kWaiting;
  wait_ = std::make_shared<Wait>();
  wait_->alarm.Set(pool_.worker_.queue,
                   std::min(context_->deadline(), std::chrono::system_clock::now() + kLongest),
                   tag());
  // The event comes through the queue, whose one thread is in here, so not before
  // this has returned.
  source.AwaitFetch([wait = wait_](keys::KeySource::Fetched fetched) {
    wait->news.store(
        fetched == keys::KeySource::Fetched::kSucceeded ? KeyNews::kFetched : KeyNews::kFailed,
        std::memory_order_release);
    wait->alarm.Cancel();
  });
}

void CallPool::Start(int ready) {
  ready_ = ready;
  while (accepting_ < ready_) TopUp();
}

void CallPool::TopUp() {
  if (accepting_ >= ready_) return;
  if (idle_.empty()) {
    if (calls_.size() >= kMaxCalls) return CancelOldest();
    idle_.push_back(calls_.emplace_back(std::make_unique<UnaryCall>(*this)).get());
  }
  UnaryCall* call = idle_.back();
  idle_.pop_back();
  ++accepting_;
  call->Accept();
}

void CallPool::Return(UnaryCall& call) {
  if (std::exchange(call.failed_, false)) worker_.metrics->CountFailure(method_);
  call.ending_since_nanos_.store(0, std::memory_order_relaxed);
  // An idle place keeps nothing of its last call.
  call.request_.Clear();
  call.responder_.reset();
  call.context_.reset();
  idle_.push_back(&call);
  TopUp();
  Land();
}

void CallPool::CancelOldest() {
  UnaryCall* oldest = nullptr;
  int64_t oldest_since = 0;
  for (const auto& call : calls_) {
    const int64_t since = call->ending_since_nanos_.load(std::memory_order_relaxed);
    if (since == 0 || (oldest != nullptr && since >= oldest_since)) continue;
    oldest = call.get();
    oldest_since = since;
  }
  if (oldest == nullptr) return;  // the others end by themselves
  oldest->ending_since_nanos_.store(0, std::memory_order_relaxed);
  oldest->context_->TryCancel();
}

void CallPool::Land() {
  if (in_flight_.fetch_sub(1, std::memory_order_acq_rel) == 1) in_flight_.notify_all();
}

}  // namespace gatehouse::frontend
