#include "server/frontend/watch_hub.h"

#include <grpc/support/time.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "gatehouse/v1/authorization_service.pb.h"
#include "server/frontend/authorization_service.h"

namespace gatehouse::frontend {
namespace {

// Streams that a queue holds ready.
constexpr int kReady = 8;
// Calls that are looked after before other events have their turn.
constexpr size_t kAtOnce = 16;
// Of the thread's time, what is for others.
constexpr int64_t kTimesForOthers = 2;
constexpr size_t kMaxChanges = 1000;
constexpr int64_t kIdleNanos = Watcher::kHeartbeat / 2;
constexpr int64_t kLeaveWithin = Watcher::kSecond;

// The alarm's own clock, whatever the tests do to ours.
int64_t MachineNanos() {
  const gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
  return now.tv_sec * Watcher::kSecond + now.tv_nsec;
}

// What this thread has taken of a CPU.
int64_t CpuNanos() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * Watcher::kSecond + time.tv_nsec;
}

grpc::Status ShuttingDown() {
  return {grpc::StatusCode::UNAVAILABLE, "the server is shutting down"};
}

grpc::Slice SerializeChanges(const revocation::ChangeFeed::Batch& batch) {
  if (batch.changes.empty() && batch.gone_keys.empty()) return {};
  v1::WatchResponse message;
  const auto add = [&](const revocation::Tag& tag, v1::RevocationChange::Kind kind) {
    v1::RevocationChange& out = *message.add_changes();
    out.set_kind(kind);
    out.set_tag(tag.bytes.data(), tag.bytes.size());
    return &out;
  };
  for (const revocation::Change& change : batch.changes) {
    add(change.tag, change.reinstates ? v1::RevocationChange::KIND_REINSTATED
                                      : v1::RevocationChange::KIND_REVOKED)
        ->set_revision(change.revision);
  }
  for (const revocation::Tag& key : batch.gone_keys) add(key, v1::RevocationChange::KIND_KEY_GONE);
  return grpc::Slice(message.SerializeAsString());
}

}  // namespace

WatchHub::WatchHub(Worker& worker, AuthorizationService& service, Watchers& watchers,
                   WatchMetrics& metrics, const Clock& clock, std::atomic<int64_t>& in_flight,
                   Accept accept)
    : worker_(worker),
      service_(service),
      feed_(service.feed()),
      watchers_(watchers),
      metrics_(metrics),
      clock_(clock),
      in_flight_(in_flight),
      accept_(std::move(accept)) {}

WatchHub::~WatchHub() = default;

void WatchHub::Start() {
  for (int i = 0; i < kReady; ++i) AcceptOne();
  in_flight_.fetch_add(1, std::memory_order_relaxed);  // the alarm
  {
    MutexLock lock(mu_);
    idle_ = true;
    SetAlarm(kIdleNanos);
  }
  feed_.Add(*this);
}

void WatchHub::Shutdown() {
  feed_.Remove(*this);
  MutexLock lock(mu_);
  closing_ = true;
  if (std::exchange(idle_, false)) alarm_.Cancel();
}

void WatchHub::OnNews() {
  MutexLock lock(mu_);
  if (std::exchange(news_, true)) return;
  if (std::exchange(idle_, false)) alarm_.Cancel();
}

void WatchHub::SetAlarm(int64_t wait_nanos) {
  const gpr_timespec at =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(wait_nanos, GPR_TIMESPAN));
  alarm_.Set(worker_.queue, at, tag());
}

void WatchHub::OnEvent(bool /*ok*/) {
  bool closing = false;
  {
    MutexLock lock(mu_);
    closing = closing_;
    idle_ = false;
  }
  if (closing) return Leave();
  const int64_t begin = MachineNanos();
  if (!in_round_ && begin < next_round_at_) {
    MutexLock lock(mu_);
    return SetAlarm(next_round_at_ - begin);
  }
  if (!in_round_) {
    in_round_ = true;
    round_nanos_ = 0;
    next_ = 0;
    MutexLock lock(mu_);
    news_ = false;  // what comes from here on may come too late for the first of them
  }
  const int64_t before = CpuNanos();
  const bool all = LookAfterSome();
  round_nanos_ += CpuNanos() - before;
  const int64_t end = MachineNanos();
  MutexLock lock(mu_);
  if (!all || closing_) return SetAlarm(0);
  in_round_ = false;
  next_round_at_ = end + round_nanos_ * kTimesForOthers;
  idle_ = !news_;
  SetAlarm(news_ ? next_round_at_ - end : kIdleNanos);
}

bool WatchHub::LookAfterSome() {
  if (next_ == 0) {
    LookAtRules();
    if (gaps_ > 0) {
      calls_.erase(std::remove(calls_.begin(), calls_.end(), nullptr), calls_.end());
      gaps_ = 0;
    }
  }
  const int64_t now = Now();
  const size_t last = std::min(calls_.size(), next_ + kAtOnce);
  for (; next_ < last; ++next_) {
    if (WatchCall* const call = calls_[next_].get(); call != nullptr && call->is_live()) {
      call->Look(now);
    }
  }
  return next_ >= calls_.size();
}

void WatchHub::LookAtRules() {
  const std::shared_ptr<const Ruleset>& rules = worker_.rules.Current();
  if (rules == rules_) return;
  const bool first = rules_ == nullptr;
  rules_ = rules;
  if (first) return;
  for (const auto& call : calls_) {
    if (call == nullptr || !call->is_open()) continue;
    const Caller* caller = nullptr;
    const grpc::Status status = service_.Identify(call->context(), *rules_, worker_.known_callers,
                                                  config::Right::kWatch, caller);
    if (!status.ok()) {
      metrics_.lost_right.fetch_add(1, std::memory_order_relaxed);
      call->End(status);
    }
  }
}

void WatchHub::Leave() {
  bool any = false;
  for (const auto& call : calls_) {
    if (call == nullptr || !call->is_live()) continue;
    any = true;
    if (leaving_) {
      call->Cancel();
    } else {
      call->CutOff(ShuttingDown());
    }
  }
  if (!any) return Land();
  leaving_ = true;
  MutexLock lock(mu_);
  // Whoever has not gone by then is cancelled.
  idle_ = true;
  SetAlarm(kLeaveWithin);
}

void WatchHub::AcceptOne() {
  in_flight_.fetch_add(1, std::memory_order_relaxed);
  WatchCall& call = *calls_.emplace_back(std::make_unique<WatchCall>(*this));
  call.Accept();
}

void WatchHub::Request(grpc::ServerContext& context, WatchCall::Stream& stream, void* tag) {
  accept_(&context, &stream, worker_.queue, tag);
}

void WatchHub::Ended(const WatchCall& call) {
  const auto place = std::find_if(calls_.begin(), calls_.end(),
                                  [&](const auto& one) { return one.get() == &call; });
  place->reset();
  ++gaps_;
  {
    // Nobody is left to be waited for.
    MutexLock lock(mu_);
    if (closing_ && idle_ && std::none_of(calls_.begin(), calls_.end(), [](const auto& one) {
          return one != nullptr && one->is_live();
        })) {
      idle_ = false;
      alarm_.Cancel();
    }
  }
  Land();
}

void WatchHub::Land() {
  if (in_flight_.fetch_sub(1, std::memory_order_acq_rel) == 1) in_flight_.notify_all();
}

grpc::Status WatchHub::Enter(grpc::ServerContext& context, size_t& caller, bool& entered) {
  {
    MutexLock lock(mu_);
    if (closing_) return ShuttingDown();
  }
  LookAtRules();
  const Caller* who = nullptr;
  grpc::Status status = service_.Identify(context, *worker_.rules.Current(), worker_.known_callers,
                                          config::Right::kWatch, who);
  if (who != nullptr) caller = who->number;
  if (!status.ok()) return status;
  if (watchers_.Enter(caller)) {
    metrics_.watchers.fetch_add(1, std::memory_order_relaxed);
    entered = true;
    return grpc::Status::OK;
  }
  metrics_.too_many.fetch_add(1, std::memory_order_relaxed);
  return {grpc::StatusCode::RESOURCE_EXHAUSTED,
          "too many watchers, of this caller or of all: try again later"};
}

void WatchHub::Leave(size_t caller) {
  metrics_.watchers.fetch_sub(1, std::memory_order_relaxed);
  watchers_.Leave(caller);
}

const std::string& WatchHub::store_id() const { return service_.store().store_id(); }

Watcher::News WatchHub::News() {
  // In this order: what is told with a version is all that belongs to it.
  const uint64_t version = feed_.version();
  return {.version = version,
          .rules = worker_.rules.Current()->rules,
          .fresh = service_.store().staleness() == absl::ZeroDuration()};
}

const WatchHub::Ready& WatchHub::Read(const revocation::ChangeFeed::Cursor& from,
                                      uint64_t version) {
  if (ready_.version == version && ready_.from == from) return ready_;
  ready_.batch = feed_.Read(from, kMaxChanges);
  ready_.changes = SerializeChanges(ready_.batch);
  ready_.from = from;
  ready_.version = version;
  return ready_;
}

grpc::ByteBuffer WatchHub::Encode(const Ready& ready, const Watcher::Message& message,
                                  absl::string_view rules) const {
  v1::WatchResponse rest;
  rest.set_revision(message.revision);
  rest.set_store_id(store_id());
  rest.set_rules(rules.data(), rules.size());
  rest.set_ping(message.ping);
  rest.set_fell_behind(message.fell_behind);
  const grpc::Slice tail(rest.SerializeAsString());
  if (ready.changes.size() == 0) return grpc::ByteBuffer(&tail, 1);
  const std::array<grpc::Slice, 2> both = {ready.changes, tail};  // fields in any order
  return grpc::ByteBuffer(both.data(), both.size());
}

void WatchHub::Count(const revocation::ChangeFeed::Batch& batch, bool fell_behind) {
  metrics_.changes.fetch_add(batch.changes.size() + batch.gone_keys.size(),
                             std::memory_order_relaxed);
  metrics_.messages.fetch_add(1, std::memory_order_relaxed);
  if (fell_behind) metrics_.fell_behind.fetch_add(1, std::memory_order_relaxed);
}

void WatchHub::CountSlow() { metrics_.slow.fetch_add(1, std::memory_order_relaxed); }

void WatchHub::CountEnd(size_t caller, bool known, grpc::StatusCode status) {
  worker_.metrics->CountCall(known ? caller : ThreadMetrics::kUnknownCaller, status);
}

}  // namespace gatehouse::frontend
