#include "server/keys/refreshed_source.h"

#include <algorithm>
#include <csignal>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/keys/fetch_log.h"
#include "server/keys/key_copy.h"
#include "server/keys/usable_keys.h"
#include "server/keys/waiter_queue.h"

namespace gatehouse::keys {
namespace {

using Fetched = KeySource::Fetched;
using Keys = std::shared_ptr<const jose::KeySet>;

// The time in a copy need not be exact, and a flood of unknown kids must not keep the
// disk busy.
constexpr int64_t kCopyEvery = 60'000'000'000;

// Signals are for the thread that waits for them; and no write to a closed
// connection may end the program.
void BlockSignals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

int64_t Later(int64_t time, absl::Duration by) {
  const int64_t nanos = absl::ToInt64Nanoseconds(by);
  return time > INT64_MAX - nanos ? INT64_MAX : time + nanos;
}

class RefreshedSource final : public KeySource {
 public:
  RefreshedSource(RefreshedOptions options, std::unique_ptr<KeyOrigin> origin,
                  std::optional<FirstKeys> first, const Clock& clock)
      : options_(std::move(options)),
        clock_(clock),
        origin_(std::move(origin)),
        schedule_(options_.times, std::random_device()()),
        waiters_(std::max<size_t>(1, options_.max_waiters)),
        log_(options_.issuer, options_.place) {
    if (first.has_value()) Begin(*first);
    thread_ = std::thread([this] { Run(); });
  }

  ~RefreshedSource() override {
    {
      MutexLock lock(mu_);
      stopped_ = true;
    }
    origin_->Abort();
    changed_.NotifyAll();
    thread_.join();
  }

  Keys Current() const override {
    MutexLock lock(mu_);
    return keys_;
  }

  Ticket AwaitFetch(Waiter waiter) override {
    Waiter evicted;
    const Ticket ticket = Enter(waiter, evicted);
    if (ticket == kNone) waiter(Fetched::kFailed);
    if (evicted) evicted(Fetched::kFailed);
    return ticket;
  }

  void Forget(Ticket ticket) override {
    Waiter given_up;
    MutexLock lock(mu_);
    given_up = waiters_.Take(ticket);
  }

  void Suspect() override {
    MutexLock lock(mu_);
    if (schedule_.Suspect()) changed_.NotifyAll();
  }

  KeySourceState State() const override {
    MutexLock lock(mu_);
    KeySourceState state = state_;
    if (state.last_success != absl::InfinitePast()) {
      state.age = absl::Nanoseconds(clock_.SteadyNanos() - good_at_);
    }
    if (keys_ == nullptr) return state;
    state.has_keys = true;
    state.key_count = keys_->keys().size();
    state.leaving_count = keys_->leaving();
    if (state.leaving_count > 0) {
      state.next_end = absl::Nanoseconds(keys_->NextEnd() - clock_.SteadyNanos());
    }
    return state;
  }

 private:
  // kNone, and `waiter` is left alone, where the source is stopped.
  Ticket Enter(Waiter& waiter, Waiter& evicted) {
    MutexLock lock(mu_);
    if (stopped_) return kNone;
    if (!waiters_.AnyNew()) changed_.NotifyAll();
    return waiters_.Add(std::move(waiter), evicted);
  }

  enum class Step { kStop, kLook, kFetch };

  void Begin(const FirstKeys& first) {
    if (!first.from_disk) log_.Begin(first.left_out);
    MutexLock lock(mu_);
    const int64_t now = clock_.SteadyNanos();
    keys_ = std::make_shared<const jose::KeySet>(first.keys);
    good_at_ = now - absl::ToInt64Nanoseconds(first.age);
    ends_at_ = Later(now, options_.max_age - first.age);
    state_.from_disk = first.from_disk;
    state_.last_success = first.fetched;
  }

  void Run() {
    BlockSignals();
    for (Step step = Step::kLook; step != Step::kStop; step = NextStep()) {
      if (step == Step::kFetch) Fetch();
      Lapse();
    }
    AnswerEach(UINT64_MAX, Fetched::kFailed);
  }

  // Sleeps until something is due.
  Step NextStep() {
    MutexLock lock(mu_);
    if (stopped_) return Step::kStop;
    const int64_t now = clock_.SteadyNanos();
    const bool somebody_waits = waiters_.AnyNew();
    const int64_t due = schedule_.NextFetch(somebody_waits);
    if (due <= now) {
      waiters_.Begin();
      schedule_.Began(now, somebody_waits);
      return Step::kFetch;
    }
    const int64_t until = std::min(due, NextEnd());
    if (until > now) clock_.WaitUntil(mu_, changed_, until);
    return Step::kLook;
  }

  int64_t NextEnd() const GH_REQUIRES(mu_) {
    return keys_ == nullptr ? INT64_MAX : std::min(ends_at_, keys_->NextEnd());
  }

  // Ends what is over: keys whose grace has passed, or all of them.
  void Lapse() {
    Keys before;
    jose::KeySet left({});
    bool too_old = false;
    {
      MutexLock lock(mu_);
      const int64_t now = clock_.SteadyNanos();
      if (NextEnd() > now) return;
      too_old = ends_at_ <= now;
      if (!too_old) left = keys_->At(now);
      before = std::exchange(keys_, Shared(left));
    }
    before->RetireAllBut(left);
    if (too_old) {
      log::Error("keys are too old to count, and the issuer cannot be asked",
                 {{"issuer", options_.issuer},
                  {"from", options_.place},
                  {"max_age", absl::FormatDuration(options_.max_age)}});
      return;
    }
    log::Info("keys have ended", {{"issuer", options_.issuer}, {"kids", Kids(*before, left)}});
    if (left.empty()) {
      log::Error("no key is in force: the issuer's set has none",
                 {{"issuer", options_.issuer}, {"from", options_.place}});
    }
  }

  void Fetch() {
    const int64_t began = clock_.SteadyNanos();
    const absl::StatusOr<Brought> brought = origin_->Bring([this] { Lapse(); });
    if (absl::IsCancelled(brought.status())) return;
    const Keys before = Current();
    bool good = false;
    if (brought.ok()) {
      good = Take(*brought, began);
    } else {
      NoteFailure(std::string(brought.status().message()));
    }
    const bool keys_came = good && !NewKids(before, Current()).empty();
    Ticket answered = kNone;
    Ticket newest = kNone;
    {
      MutexLock lock(mu_);
      answered = waiters_.newest_begun();
      newest = waiters_.newest();
      if (keys_came && waiters_.AnyNew()) schedule_.SentBack(clock_.SteadyNanos());
    }
    AnswerEach(answered, good ? Fetched::kSucceeded : Fetched::kFailed);
    if (keys_came) AnswerEach(newest, Fetched::kLookAgain);
  }

  // Those who came no later than `last`, one by one, so that Forget() holds for those
  // who have not been called yet.
  void AnswerEach(Ticket last, Fetched fetched) {
    while (true) {
      Waiter waiter;
      {
        MutexLock lock(mu_);
        waiter = waiters_.NextUpTo(last);
      }
      if (!waiter) return;
      waiter(fetched);
    }
  }

  // Whether there is a set now that says what the issuer's keys are.
  bool Take(const Brought& brought, int64_t began) {
    if (brought.kind == Brought::Kind::kUntouched) {
      MutexLock lock(mu_);
      schedule_.Succeeded(brought.lifetime);
      good_at_ = began;
      state_.last_success = clock_.Now();
      return keys_ != nullptr;
    }
    const absl::StatusOr<UsableKeys> usable = ReadUsableKeys(brought.jwks, options_.algorithms);
    const bool empty = usable.ok() && usable->keys.empty();
    if (!usable.ok() || (empty && options_.empty_is_a_mistake)) {
      origin_->Distrust();
      NoteFailure(
          absl::StrCat(options_.place, ": is of no use: ",
                       usable.ok() ? WhyNone(*usable) : std::string(usable.status().message())));
      return false;
    }
    TakeOver(usable->keys, brought, began);
    KeepCopy(brought.jwks);
    if (empty) {
      NoteFailure(absl::StrCat(options_.place, ": ", WhyNone(*usable)));
    } else {
      log_.Succeeded(usable->keys.keys().size(), usable->left_out);
    }
    return !empty;
  }

  void TakeOver(const jose::KeySet& keys, const Brought& brought, int64_t began) {
    const Keys current = Current();
    const jose::KeySet before = current == nullptr ? jose::KeySet({}) : *current;
    const int64_t now = clock_.SteadyNanos();
    const jose::KeySet next = keys.Succeed(before, Later(now, options_.grace)).At(now);
    {
      MutexLock lock(mu_);
      keys_ = Shared(next);
      good_at_ = began;
      ends_at_ = Later(began, options_.max_age);
      // A set that is older than half of its greatest age is asked for again, so that
      // one failure does not end it.
      if (!keys.empty()) {
        schedule_.Succeeded(std::min(brought.lifetime, options_.max_age / 2));
        ++state_.succeeded_fetches;
      }
      state_.from_disk = false;
      state_.last_success = clock_.Now();
      state_.last_error.clear();
      if (brought.kind == Brought::Kind::kConfirmed) ++state_.not_modified_fetches;
    }
    before.RetireAllBut(next);
    LogChange(before, next);
  }

  void NoteFailure(const std::string& reason) {
    const int64_t now = clock_.SteadyNanos();
    absl::string_view in_force;
    {
      MutexLock lock(mu_);
      schedule_.Failed(now);
      ++state_.failed_fetches;
      state_.last_error = reason;
      in_force = InForce();
    }
    log_.Failed(now, reason, in_force);
  }

  absl::string_view InForce() const GH_REQUIRES(mu_) {
    if (keys_ == nullptr) return "none";
    if (keys_->leaving() == keys_->keys().size()) return "keys that are leaving";
    return state_.from_disk ? "the copy on disk" : "the keys from before";
  }

  // The copy of a set without keys too: a start must not bring back keys that left.
  void KeepCopy(const std::string& jwks) {
    if (options_.copy_path.empty()) return;
    const int64_t now = clock_.SteadyNanos();
    if (jwks == copied_ && now - copied_at_ < kCopyEvery) return;
    const absl::Status written =
        WriteKeyCopy(options_.copy_path, {options_.issuer, options_.copy_url, clock_.Now(), jwks});
    std::string error(written.message());
    if (written.ok()) {
      copied_ = jwks;
      copied_at_ = now;
    } else {
      absl::Status removed;
      if (jwks != copied_) {
        copied_.clear();
        removed = RemoveKeyCopy(options_.copy_path);
      }
      if (!removed.ok()) absl::StrAppend(&error, "; ", removed.message());
      if (error != copy_error_) SayUncopied(error, removed.ok());
    }
    copy_error_ = error;
  }

  void SayUncopied(const std::string& error, bool removed) const {
    if (removed) {
      log::Warning("the copy of the keys cannot be written",
                   {{"issuer", options_.issuer}, {"reason", error}});
    } else {
      log::Error("an old copy of the keys is still on disk: keys that left count after a restart",
                 {{"issuer", options_.issuer}, {"reason", error}});
    }
  }

  // From one set to the next, by the kids of their own keys and the leaving ones.
  void LogChange(const jose::KeySet& before, const jose::KeySet& next) const {
    const std::string came = Kids(next, before);
    const bool others_leave = next.leaving() > before.leaving();
    if (before.empty() || (came.empty() && !others_leave)) return;
    log::Info("keys changed", {{"issuer", options_.issuer},
                               {"came", came},
                               {"own", next.keys().size() - next.leaving()},
                               {"leaving", next.leaving()},
                               {"grace", absl::FormatDuration(options_.grace)}});
  }

  static std::string NewKids(const Keys& before, const Keys& after) {
    if (after == nullptr) return "";
    return Kids(*after, before == nullptr ? jose::KeySet({}) : *before);
  }

  // Of the keys that are in `in` and not in `but`.
  static std::string Kids(const jose::KeySet& in, const jose::KeySet& but) {
    std::string kids;
    const auto& others = but.keys();
    for (const auto& key : in.keys()) {
      if (std::find(others.begin(), others.end(), key) != others.end()) continue;
      absl::StrAppend(&kids, kids.empty() ? "" : ", ", key->kid().value_or("(without kid)"));
    }
    return kids;
  }

  static Keys Shared(const jose::KeySet& keys) {
    return keys.empty() ? nullptr : std::make_shared<const jose::KeySet>(keys);
  }

  // Constant after construction.
  const RefreshedOptions options_;
  const Clock& clock_;
  const std::unique_ptr<KeyOrigin> origin_;

  mutable Mutex mu_;
  CondVar changed_;
  bool stopped_ GH_GUARDED_BY(mu_) = false;
  RefreshSchedule schedule_ GH_GUARDED_BY(mu_);
  WaiterQueue waiters_ GH_GUARDED_BY(mu_);
  Keys keys_ GH_GUARDED_BY(mu_);  // written by the thread alone
  int64_t good_at_ GH_GUARDED_BY(mu_) = 0;
  int64_t ends_at_ GH_GUARDED_BY(mu_) = INT64_MAX;
  KeySourceState state_ GH_GUARDED_BY(mu_);

  // The thread's own.
  FetchLog log_;
  std::string copied_;
  int64_t copied_at_ = 0;
  std::string copy_error_;

  std::thread thread_;
};

}  // namespace

std::unique_ptr<KeySource> MakeRefreshedSource(RefreshedOptions options,
                                               std::unique_ptr<KeyOrigin> origin,
                                               std::optional<FirstKeys> first, const Clock& clock) {
  return std::make_unique<RefreshedSource>(std::move(options), std::move(origin), std::move(first),
                                           clock);
}

}  // namespace gatehouse::keys
