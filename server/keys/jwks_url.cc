#include "server/keys/jwks_url.h"

#include <csignal>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/mutex.h"
#include "server/base/status_macros.h"
#include "server/keys/fetch_log.h"
#include "server/keys/http_fetch.h"
#include "server/keys/refresh_schedule.h"
#include "server/keys/url.h"
#include "server/keys/usable_keys.h"

namespace gatehouse::keys {
namespace {

using Fetched = KeySource::Fetched;

// Signals are for the thread that waits for them; and no write to a closed
// connection may end the program.
void BlockSignals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

class JwksUrlSource final : public KeySource {
 public:
  JwksUrlSource(JwksUrlOptions options, const Clock& clock)
      : options_(std::move(options)),
        clock_(clock),
        schedule_({.refresh_every = options_.refresh_every,
                   .cooldown = options_.cooldown,
                   .retry_after = options_.retry_after,
                   .retry_at_most = options_.retry_at_most},
                  std::random_device()()),
        log_(options_.issuer, WithoutQuery(options_.url)),
        thread_([this] { Run(); }) {}

  ~JwksUrlSource() override {
    {
      MutexLock lock(mu_);
      stopped_ = true;
    }
    fetcher_.Abort();
    changed_.NotifyAll();
    thread_.join();
  }

  std::shared_ptr<const jose::KeySet> Current() const override {
    MutexLock lock(mu_);
    return keys_;
  }

  Ticket AwaitFetch(Waiter waiter) override {
    {
      MutexLock lock(mu_);
      if (!stopped_ && waiting_.size() + in_fetch_ < options_.max_waiters) {
        waiting_.push_back(std::move(waiter));
        changed_.NotifyOne();
        return ++tickets_;
      }
    }
    waiter(Fetched::kFailed);
    return kNone;
  }
  void Forget(Ticket /*ticket*/) override {}

  KeySourceState State() const override {
    MutexLock lock(mu_);
    return state_;
  }

 private:
  void Run() {
    BlockSignals();
    std::vector<Waiter> answered;
    while (BeginFetch(answered)) {
      const absl::Status fetched = Fetch();
      Answer(answered, fetched.ok() ? Fetched::kSucceeded : Fetched::kFailed);
    }
    Answer(answered, Fetched::kFailed);
  }

  // Waits until a fetch is due and takes those whom it will answer: those who come
  // later wait for the next. False when the source is stopped; `waiters` are then
  // all that are left.
  bool BeginFetch(std::vector<Waiter>& waiters) {
    MutexLock lock(mu_);
    int64_t now = steady_.SteadyNanos();
    while (!stopped_) {
      const int64_t due = schedule_.NextFetch(!waiting_.empty());
      if (due <= now) break;
      changed_.WaitFor(mu_, std::chrono::nanoseconds(due - now));
      now = steady_.SteadyNanos();
    }
    waiters = std::exchange(waiting_, {});
    in_fetch_ = waiters.size();
    if (stopped_) return false;
    schedule_.Began(now, !waiters.empty());
    return true;
  }

  absl::Status Fetch() {
    absl::StatusOr<UsableKeys> usable = FetchKeys();
    if (absl::IsCancelled(usable.status())) return usable.status();
    if (usable.ok()) {
      TakeOver(*usable);
    } else {
      NoteFailure(std::string(usable.status().message()));
    }
    return usable.status();
  }

  absl::StatusOr<UsableKeys> FetchKeys() {
    GH_ASSIGN_OR_RETURN(
        const std::string body,
        fetcher_.Get(options_.url, {.timeout = options_.timeout, .max_bytes = options_.max_bytes}));
    absl::StatusOr<UsableKeys> usable = ReadUsableKeys(body, options_.algorithms);
    if (usable.ok()) return usable;
    return absl::UnavailableError(absl::StrCat(WithoutQuery(options_.url), ": the answer ",
                                               "is of no use: ", usable.status().message()));
  }

  void TakeOver(const UsableKeys& usable) {
    const std::shared_ptr<const jose::KeySet> before = Current();
    auto keys = std::make_shared<const jose::KeySet>(
        before == nullptr ? usable.keys : usable.keys.Succeed(*before));
    const size_t key_count = keys->keys().size();
    {
      MutexLock lock(mu_);
      schedule_.Succeeded();
      keys_ = std::move(keys);
      state_.has_keys = true;
      state_.key_count = key_count;
      state_.last_success = clock_.Now();
      ++state_.succeeded_fetches;
      state_.last_error.clear();
    }
    log_.Succeeded(key_count, usable.left_out);
  }

  void NoteFailure(const std::string& reason) {
    const int64_t now = steady_.SteadyNanos();
    {
      MutexLock lock(mu_);
      schedule_.Failed(now);
      ++state_.failed_fetches;
      state_.last_error = reason;
    }
    log_.Failed(now, reason);
  }

  void Answer(std::vector<Waiter>& waiters, Fetched fetched) {
    {
      MutexLock lock(mu_);
      in_fetch_ = 0;
    }
    for (const Waiter& waiter : waiters) waiter(fetched);
    waiters.clear();
  }

  // Constant after construction.
  const JwksUrlOptions options_;
  const Clock& clock_;
  // Fetches are due by real time: a condition variable waits for no other.
  const Clock& steady_ = SystemClock();

  HttpFetcher fetcher_;

  mutable Mutex mu_;
  CondVar changed_;
  bool stopped_ GH_GUARDED_BY(mu_) = false;
  RefreshSchedule schedule_ GH_GUARDED_BY(mu_);
  std::vector<Waiter> waiting_ GH_GUARDED_BY(mu_);
  size_t in_fetch_ GH_GUARDED_BY(mu_) = 0;
  Ticket tickets_ GH_GUARDED_BY(mu_) = kNone;
  std::shared_ptr<const jose::KeySet> keys_ GH_GUARDED_BY(mu_);
  KeySourceState state_ GH_GUARDED_BY(mu_);

  // The thread's own.
  FetchLog log_;

  // The last member: it begins when all else is there.
  std::thread thread_;
};

}  // namespace

std::unique_ptr<KeySource> MakeJwksUrlSource(JwksUrlOptions options, const Clock& clock) {
  return std::make_unique<JwksUrlSource>(std::move(options), clock);
}

}  // namespace gatehouse::keys
