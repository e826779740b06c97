#include "server/frontend/unary_call.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace gatehouse::frontend {

using engine::KeyNews;

namespace {

// Until when a call may wait for keys: long enough before its deadline that its client
// still hears that the keys are away. A deadline comes rounded up, by 1 % at most.
std::chrono::system_clock::time_point EndOfWait(std::chrono::system_clock::time_point deadline) {
  using std::chrono::system_clock;
  constexpr system_clock::duration kLongest = std::chrono::seconds(5);
  constexpr system_clock::duration kMostForTheAnswer = std::chrono::milliseconds(50);
  const system_clock::time_point now = system_clock::now();
  const system_clock::duration left = deadline - now;
  return now + std::min(left - std::min(left / 20, kMostForTheAnswer), kLongest);
}

constexpr int64_t kNanosInASecond = 1'000'000'000;

int64_t NanosOf(gpr_timespec time) { return time.tv_sec * kNanosInASecond + time.tv_nsec; }

gpr_timespec SteadyTime(int64_t nanos) {
  return {.tv_sec = nanos / kNanosInASecond,
          .tv_nsec = static_cast<int32_t>(nanos % kNanosInASecond),
          .clock_type = GPR_CLOCK_MONOTONIC};
}

}  // namespace

// Shared with the key source, which may call long after this call's place has been
// given to another: the alarm is then a spent one.
struct UnaryCall::Wait {
  enum class Outcome { kTimeUp, kFetched, kFailed, kLookAgain, kCrowdedOut };

  static Outcome Of(keys::KeySource::Fetched fetched) {
    if (fetched == keys::KeySource::Fetched::kSucceeded) return Outcome::kFetched;
    if (fetched == keys::KeySource::Fetched::kLookAgain) return Outcome::kLookAgain;
    return Outcome::kFailed;
  }

  // The first one counts, and ends the wait.
  void End(Outcome how) {
    auto none = Outcome::kTimeUp;
    if (outcome.compare_exchange_strong(none, how, std::memory_order_acq_rel)) alarm.Cancel();
  }

  grpc::Alarm alarm;
  // For a revision, or for keys.
  revocation::ChangeFeed* feed = nullptr;
  revocation::ChangeFeed::Ticket revision_ticket;
  Shares* revision_share = nullptr;
  std::atomic<Outcome> outcome = Outcome::kTimeUp;
  ColdWork::Lane lane = ColdWork::Lane::kQuestions;
  keys::KeySource* source = nullptr;
  keys::KeySource::Ticket ticket = keys::KeySource::kNone;
  FairWaits::Ticket share = 0;
};

Worker& UnaryCall::worker() { return pool_.worker_; }

void UnaryCall::Accept() {
  state_ = State::kAccepting;
  deferred_ = false;
  cold_ = false;
  waited_ = false;
  waited_for_revision_ = false;
  gone_ = false;
  elsewhere_ = false;
  status_ = grpc::StatusCode::OK;
  news_ = KeyNews::kNone;
  caller_number_ = ThreadMetrics::kUnknownCaller;
  started_nanos_ = 0;
  context_.emplace();
  responder_.emplace(&*context_);
  pool_.in_flight_.fetch_add(1, std::memory_order_relaxed);
  context_->AsyncNotifyWhenDone(done_.tag());
  pool_.accept_(&*context_, &request_, &*responder_, pool_.worker_.queue, tag());
}

void UnaryCall::OnEvent(bool ok) {
  switch (state_) {
    case State::kAccepting:
      if (!ok) return pool_.Land();  // the server is shutting down: no call came
      pending_ = 2;                  // the end of the reply, and Done
      started_nanos_ = pool_.clock_.SteadyNanos();
      give_up_nanos_ = GiveUpTime();
      rules_ = worker().rules.Current();
      state_ = State::kHandling;
      pool_.handler_(*this);
      return;
    case State::kWaiting:
      return OnWaited();
    case State::kEnding:
      return CameIn();
    case State::kHandling:
    case State::kCold:
      return;
  }
}

void UnaryCall::OnDone() {
  gone_ = true;
  // Nobody waits for the answer: the places that this one holds are for others.
  if (state_ == State::kWaiting) wait_->End(Wait::Outcome::kTimeUp);
  CameIn();
}

void UnaryCall::CameIn() {
  if (--pending_ == 0) pool_.Return(*this);
}

int64_t UnaryCall::NowNanos() { return NanosOf(gpr_now(GPR_CLOCK_MONOTONIC)); }

int64_t UnaryCall::GiveUpTime() const {
  if (pool_.failure_reply_ == nullptr) return ColdWork::kNever;
  const gpr_timespec deadline = context_->raw_deadline();
  return NowNanos() + NanosToGivingUp(deadline, gpr_now(deadline.clock_type));
}

int64_t UnaryCall::NanosToGivingUp(gpr_timespec deadline, gpr_timespec now) {
  constexpr int64_t kLongest = kNanosInASecond / 10;
  const gpr_timespec longest = gpr_time_add(now, gpr_time_from_nanos(2 * kLongest, GPR_TIMESPAN));
  if (gpr_time_cmp(deadline, longest) >= 0) return kLongest;
  return NanosOf(gpr_time_sub(deadline, now)) / 2;
}

void UnaryCall::Finish(const grpc::ByteBuffer& reply, grpc::StatusCode counted) {
  if (!elsewhere_) return SendReply(reply, counted);
  ending_.emplace(Ending{.reply = reply, .status = {}, .counted = counted});
  worker().ended.Add(*this);
}

void UnaryCall::SendReply(const grpc::ByteBuffer& reply, grpc::StatusCode counted) {
  End(counted);
  responder_->Finish(reply, grpc::Status::OK, tag());
}

void UnaryCall::Fail(const grpc::Status& status) {
  if (pool_.failure_reply_ != nullptr) {
    return Finish(pool_.failure_reply_(*this, status), status.error_code());
  }
  if (!elsewhere_) return SendFailure(status);
  ending_.emplace(Ending{.reply = {}, .status = status, .counted = status.error_code()});
  worker().ended.Add(*this);
}

void UnaryCall::SendFailure(const grpc::Status& status) {
  End(status.error_code());
  responder_->FinishWithError(status, tag());
}

void UnaryCall::SendEnd() {
  const Ending ending = *std::exchange(ending_, std::nullopt);
  if (ending.status.ok()) {
    SendReply(ending.reply, ending.counted);
  } else {
    SendFailure(ending.status);
  }
}

void UnaryCall::Refuse(Refusal reason) {
  worker().metrics->CountRefusal(reason);
  Fail(reason == Refusal::kDeadline
           ? grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED,
                          "the deadline had passed before the call was begun")
           : grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                          "too many calls at once, from this caller or from all: try again later"));
}

bool UnaryCall::IsPastDeadline() const {
  const gpr_timespec deadline = context_->raw_deadline();
  return gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) != 0 &&
         gpr_time_cmp(deadline, gpr_now(deadline.clock_type)) <= 0;
}

// The end comes only when the client has taken the reply, and a client may never do
// that: its place must not be missed until then.
void UnaryCall::End(grpc::StatusCode status) {
  status_ = status;
  if (caller_ != nullptr) caller_number_ = caller_->number;
  caller_ = nullptr;
  rules_.reset();
  pool_.Count(*this);
  request_.Clear();
  MakeRoom();
  ending_since_nanos_ = pool_.clock_.SteadyNanos();
  state_ = State::kEnding;
}

void UnaryCall::Defer() {
  elsewhere_ = true;
  request_.Clear();
  MakeRoom();
}

void UnaryCall::MakeRoom() {
  if (deferred_) return;
  deferred_ = true;
  --pool_.accepting_;
  pool_.TopUp();
}

// A batch, a question with many facts, and a proxy's with a body in it may be as long as a
// message may be: refused for their length, they could never be answered for a token that is
// new. A revocation is a token and a sentence.
size_t UnaryCall::MaxKeptBytes(ColdWork::Lane lane) {
  switch (lane) {
    case ColdWork::Lane::kRevocations:
      return size_t{32} * 1024;
    case ColdWork::Lane::kQuestions:
      return size_t{64} * 1024;
    case ColdWork::Lane::kLargeQuestions:
    case ColdWork::Lane::kChecks:
      break;
  }
  return size_t{128} * 1024;
}

bool UnaryCall::CanBeKept(ColdWork::Lane& lane) {
  using Lane = ColdWork::Lane;
  const size_t length = request_.Length();
  if (lane == Lane::kQuestions && length > MaxKeptBytes(lane)) lane = Lane::kLargeQuestions;
  if (length <= MaxKeptBytes(lane)) return true;
  worker().metrics->CountRefusal(Refusal::kOverload);
  Fail({grpc::StatusCode::RESOURCE_EXHAUSTED,
        "a revocation over 32 KiB cannot wait for its turn, or for the issuer's keys"});
  return false;
}

void UnaryCall::GoCold(ColdWork::Lane lane) {
  if (!CanBeKept(lane)) return;
  MakeRoom();
  state_ = State::kCold;
  ColdWork& cold = worker().cold;
  ColdItem* refused = nullptr;
  if (waited_) {
    cold.PushAgain(lane, caller_->number, *this, give_up_nanos_);
  } else {
    refused = cold.Push(lane, caller_->number, *this, give_up_nanos_);
  }
  worker().metrics->SetColdCalls(cold.size());
  if (refused != nullptr) static_cast<UnaryCall*>(refused)->Refuse(Refusal::kOverload);
}

void UnaryCall::RunCold() {
  worker().metrics->SetColdCalls(worker().cold.size());
  state_ = State::kHandling;
  // Before the look at `gone_`, which a deadline that passes sets too.
  if (IsPastDeadline()) return Refuse(Refusal::kDeadline);
  if (gone_) return Fail(grpc::Status::CANCELLED);
  cold_ = true;
  pool_.handler_(*this);
}

void UnaryCall::GiveUp() {
  worker().metrics->SetColdCalls(worker().cold.size());
  state_ = State::kHandling;
  if (gone_) return Fail(grpc::Status::CANCELLED);
  worker().metrics->CountRefusal(Refusal::kOverload);
  Fail({grpc::StatusCode::RESOURCE_EXHAUSTED,
        "too many tokens are to be verified at once: try again later"});
}

void UnaryCall::WaitForKeys(keys::KeySource& source, ColdWork::Lane lane) {
  if (!CanBeKept(lane)) return;
  MakeRoom();
  state_ = State::kWaiting;
  wait_ = std::make_shared<Wait>();
  wait_->lane = lane;
  wait_->source = &source;
  if (is_hurried()) {
    wait_->alarm.Set(pool_.worker_.queue, SteadyTime(give_up_nanos_), tag());
  } else {
    wait_->alarm.Set(pool_.worker_.queue, EndOfWait(context_->deadline()), tag());
  }
  // The event comes through the queue, whose one thread is in here, so not before
  // this has returned.
  wait_->share = worker().waits.Of(lane).Enter(
      {caller_->number, &source}, [wait = wait_] { wait->End(Wait::Outcome::kCrowdedOut); });
  wait_->ticket = source.AwaitFetch(
      [wait = wait_](keys::KeySource::Fetched fetched) { wait->End(Wait::Of(fetched)); });
}

void UnaryCall::WaitForRevision(revocation::ChangeFeed& feed, int64_t revision, Shares& waits) {
  ColdWork::Lane lane = ColdWork::Lane::kQuestions;
  if (!CanBeKept(lane)) return;
  if (!waits.Enter(caller_->number)) return Refuse(Refusal::kOverload);
  MakeRoom();
  state_ = State::kWaiting;
  wait_ = std::make_shared<Wait>();
  wait_->feed = &feed;
  wait_->revision_share = &waits;
  wait_->alarm.Set(pool_.worker_.queue, EndOfWait(context_->deadline()), tag());
  // As above, the event comes later.
  wait_->revision_ticket =
      feed.AwaitRevision(revision, [wait = wait_] { wait->End(Wait::Outcome::kFetched); });
}

void UnaryCall::OnWaited() {
  const std::shared_ptr<Wait> wait = std::exchange(wait_, nullptr);
  state_ = State::kHandling;
  if (wait->feed == nullptr) return OnWaitedForKeys(*wait);
  wait->feed->Forget(wait->revision_ticket);
  wait->revision_share->Leave(caller_->number);
  // Before the look at `gone_`, as for cold calls.
  if (IsPastDeadline()) return Refuse(Refusal::kDeadline);
  if (gone_) return Fail(grpc::Status::CANCELLED);
  waited_for_revision_ = true;
  pool_.handler_(*this);
}

void UnaryCall::OnWaitedForKeys(const Wait& wait) {
  worker().waits.Of(wait.lane).Leave({caller_->number, wait.source}, wait.share);
  wait.source->Forget(wait.ticket);
  const Wait::Outcome outcome = wait.outcome.load(std::memory_order_acquire);
  if (IsPastDeadline()) return Refuse(Refusal::kDeadline);
  if (gone_) return Fail(grpc::Status::CANCELLED);
  if (outcome == Wait::Outcome::kCrowdedOut) {
    worker().metrics->CountRefusal(Refusal::kOverload);
    return Fail({grpc::StatusCode::UNAVAILABLE,
                 "the issuer's keys are not at hand, and too many calls wait for keys: try again"});
  }
  if (outcome == Wait::Outcome::kTimeUp && is_hurried()) {
    return Fail({grpc::StatusCode::UNAVAILABLE, "the issuer's keys did not come in time"});
  }
  news_ = outcome == Wait::Outcome::kFetched ? KeyNews::kFetched : KeyNews::kFailed;
  if (outcome == Wait::Outcome::kLookAgain) news_ = KeyNews::kNone;
  waited_ = true;
  cold_ = false;
  pool_.handler_(*this);
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
  call.ending_since_nanos_ = 0;
  // An idle place keeps nothing of its last call.
  call.request_.Clear();
  call.responder_.reset();
  call.context_.reset();
  idle_.push_back(&call);
  TopUp();
  Land();
}

void CallPool::Count(const UnaryCall& call) {
  if (call.status_ != grpc::StatusCode::OK) worker_.metrics->CountFailure(method_);
  worker_.metrics->CountCall(call.caller_number_, call.status_);
}

void CallPool::CancelOldest() {
  UnaryCall* oldest = nullptr;
  int64_t oldest_since = 0;
  for (const auto& call : calls_) {
    const int64_t since = call->ending_since_nanos_;
    if (since == 0 || (oldest != nullptr && since >= oldest_since)) continue;
    oldest = call.get();
    oldest_since = since;
  }
  if (oldest == nullptr) return;  // the others end by themselves
  oldest->ending_since_nanos_ = 0;
  oldest->context_->TryCancel();
}

void CallPool::Land() {
  if (in_flight_.fetch_sub(1, std::memory_order_acq_rel) == 1) in_flight_.notify_all();
}

}  // namespace gatehouse::frontend
