#include "client/cpp/src/calls.h"

#include <algorithm>
#include <utility>

#include "client/cpp/src/errors.h"

namespace gatehouse::client {
namespace {

constexpr int kCancelled = 1;
constexpr int kDeadlineExceeded = 4;
constexpr int kFailedPrecondition = 9;
constexpr int kUnavailable = 14;

// Tries of one call.
constexpr int kTries = 3;
constexpr int64_t kBudgetOfTry = 10;
constexpr int64_t kMostBudget = 100;
// The pause before the second try; it doubles.
constexpr int64_t kPause = 20 * kMillisecond;
// So many calls without an answer in time, and the connection is given up: on one that
// lost the other side without a word the kernel would wait for a quarter of an hour.
constexpr int kUnanswered = 3;
constexpr int64_t kRenewEvery = 2 * kSecond;

const char* const kNames[] = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

Error Closed() { return {ErrorCode::kCancelled, "the client was destroyed"}; }

}  // namespace

struct Calls::Call {
  Method method;
  Build build;
  int64_t deadline;
  Done done;
  int tries = 0;
  std::optional<Revision> required;
  // The requirement was forgotten once.
  bool relaxed = false;
  // What was wrong with the try before.
  std::optional<Transport::Status> failed;
};

void Calls::Begin(Method method, Build build, int64_t deadline, Done done) {
  auto call = std::make_shared<Call>();
  call->method = method;
  call->build = std::move(build);
  call->deadline = deadline;
  call->done = std::move(done);
  bool closed = false;
  {
    MutexLock lock(mu_);
    closed = closed_;
    if (!closed) open_.insert(call);
    budget_ = std::min(budget_ + 1, kMostBudget);
  }
  if (closed) return call->done(Closed(), "");
  Try(call);
}

void Calls::Close() {
  std::unordered_set<std::shared_ptr<Call>> open;
  {
    MutexLock lock(mu_);
    closed_ = true;
    open.swap(open_);
  }
  for (const auto& call : open) call->done(Closed(), "");
}

void Calls::Finish(const std::shared_ptr<Call>& call, std::optional<Error> error,
                   std::string reply) {
  {
    MutexLock lock(mu_);
    if (open_.erase(call) == 0) return;
  }
  call->done(std::move(error), std::move(reply));
}

void Calls::Try(const std::shared_ptr<Call>& call) {
  const int64_t left = call->deadline - clock_.Now();
  if (left <= 0) return Ended(call, {kDeadlineExceeded, "there was no time left to ask"}, "");
  ++call->tries;
  call->required = view_.required();
  transport_.Call(call->method, call->build(call->required), left,
                  [this, call](const Transport::Status& status, std::string reply) {
                    const auto code = static_cast<size_t>(status.code);
                    outcomes_[static_cast<size_t>(call->method)][code < 17 ? code : 2].fetch_add(
                        1, std::memory_order_relaxed);
                    Note(status);
                    Ended(call, status, std::move(reply));
                  });
}

void Calls::Ended(const std::shared_ptr<Call>& call, const Transport::Status& status,
                  std::string reply) {
  if (status.code == 0) return Finish(call, std::nullopt, std::move(reply));
  if (status.code == kFailedPrecondition && call->required.has_value() && !call->relaxed) {
    call->relaxed = true;
    view_.Unrequire(*call->required);
    return Try(call);
  }
  // CANCELLED by the server: it ended while the call arrived.
  if (status.code == kUnavailable || status.code == kCancelled) {
    const int64_t pause = HalfToAll(kPause << (call->tries - 1), chance_);
    if (MayRetry(*call, pause)) {
      call->failed = status;
      retries_.fetch_add(1, std::memory_order_relaxed);
      return clock_.At(clock_.Now() + pause, [this, call] { Try(call); });
    }
  }
  const bool late = status.code == kDeadlineExceeded && call->failed.has_value();
  Finish(call, Explain(MethodName(call->method), late ? *call->failed : status, settings_), "");
}

bool Calls::MayRetry(const Call& call, int64_t pause) {
  if (call.tries >= kTries || clock_.Now() + pause >= call.deadline) return false;
  MutexLock lock(mu_);
  if (budget_ < kBudgetOfTry) return false;
  budget_ -= kBudgetOfTry;
  return true;
}

void Calls::Note(const Transport::Status& status) {
  {
    MutexLock lock(mu_);
    unanswered_ = status.code == kDeadlineExceeded ? unanswered_ + 1 : 0;
    const int64_t now = clock_.Now();
    if (unanswered_ < kUnanswered || now - renewed_ < kRenewEvery) return;
    unanswered_ = 0;
    renewed_ = now;
  }
  transport_.Renew();
}

void Calls::AddTo(Figures& figures) const {
  for (size_t method = 0; method < kMethods; ++method) {
    for (size_t code = 0; code < 17; ++code) {
      const uint64_t count = outcomes_[method][code].load(std::memory_order_relaxed);
      if (count == 0) continue;
      figures.calls[{MethodName(static_cast<Method>(method)), kNames[code]}] = count;
    }
  }
  figures.retries = retries_.load(std::memory_order_relaxed);
}

}  // namespace gatehouse::client
