#include "client/cpp/src/calls.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "client/cpp/src/errors.h"

namespace gatehouse::client {
namespace {

constexpr int kCancelled = 1;
constexpr int kDeadlineExceeded = 4;
constexpr int kFailedPrecondition = 9;
constexpr int kUnavailable = 14;

constexpr int64_t kBudgetOfTry = 10;
constexpr int64_t kMostBudget = 100;
// The pauses before the second try of a call, the third and the fourth, which is the last:
// together they outlast a server that starts again.
struct Pause {
  int64_t least;
  int64_t most;
};
constexpr std::array<Pause, 3> kPauses = {{{20 * kMillisecond, 40 * kMillisecond},
                                           {150 * kMillisecond, 350 * kMillisecond},
                                           {300 * kMillisecond, 700 * kMillisecond}}};
// So many calls without an answer in time, and the connection is given up: on one that
// lost the other side without a word the kernel would wait for a quarter of an hour.
constexpr int kUnanswered = 3;
constexpr int64_t kRenewEvery = 2 * kSecond;

const char* const kNames[] = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

// Before the next try, after so many; 0: there is no other. Three quarters of the time that is
// left at most, so that the rest is the answer's.
int64_t PauseAfter(int tries, int64_t left, const Chance& chance) {
  const size_t made = static_cast<size_t>(tries) - 1;
  const int64_t longest = left * 3 / 4;
  if (made >= kPauses.size() || longest < kPauses[0].least) return 0;
  const Pause& pause = kPauses[made];
  const auto range = static_cast<double>(pause.most - pause.least);
  return std::min(pause.least + static_cast<int64_t>(range * chance()), longest);
}

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
  // What changes something is asked at any revision.
  if (call->method < Method::kRevoke) call->required = view_.required();
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
    const int64_t now = clock_.Now();
    const int64_t pause = PauseAfter(call->tries, call->deadline - now, chance_);
    if (pause > 0 && TakeFromBudget()) {
      call->failed = status;
      retries_.fetch_add(1, std::memory_order_relaxed);
      return clock_.At(now + pause, [this, call] { Try(call); });
    }
  }
  const bool late = status.code == kDeadlineExceeded && call->failed.has_value();
  Finish(call, Explain(MethodName(call->method), late ? *call->failed : status, settings_), "");
}

bool Calls::TakeFromBudget() {
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
      figures.rpcs[{MethodName(static_cast<Method>(method)), kNames[code]}] = count;
    }
  }
  figures.retries = retries_.load(std::memory_order_relaxed);
}

}  // namespace gatehouse::client
