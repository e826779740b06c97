#include "server/frontend/decision_log.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/frontend/decision_line.h"
#include "server/frontend/sample.h"

namespace gatehouse::frontend {
namespace {

constexpr int kCountBits = 24;
constexpr int64_t kNanosInASecond = 1'000'000'000;
// How long a loss may stay untold where nothing else is written.
constexpr int64_t kTellNanos = kNanosInASecond;
constexpr int64_t kComplaintNanos = 60 * kNanosInASecond;

absl::Status At(absl::string_view place, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(place, ": ", status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DecisionLog>> DecisionLog::Open(const config::DecisionLog& options,
                                                               DecisionLogCounters& counters,
                                                               const Clock& clock,
                                                               size_t queue_bytes) {
  auto file = DecisionFile::Open({.path = options.path,
                                  .max_bytes = options.max_bytes,
                                  .keep_files = options.keep_files,
                                  .kept = options.kept});
  if (!file.ok()) return At(options.place, file.status());
  std::unique_ptr<DecisionLog> log(
      new DecisionLog(options, *std::move(file), counters, clock, queue_bytes));
  log->thread_ = std::thread([raw = log.get()] { raw->Run(); });
  return log;
}

absl::Status DecisionLog::Check(const config::DecisionLog& options) {
  return At(options.place, DecisionFile::Check({.path = options.path, .kept = options.kept}));
}

DecisionLog::DecisionLog(const config::DecisionLog& options, DecisionFile file,
                         DecisionLogCounters& counters, const Clock& clock, size_t queue_bytes)
    : options_(options),
      queue_bytes_(queue_bytes),
      counters_(counters),
      clock_(clock),
      file_(std::move(file)) {}

DecisionLog::~DecisionLog() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

bool DecisionLog::Wants(policy::Code code, int64_t now_nanos) {
  if (code == policy::Code::kOk) return Sample(options_.allowed_percent);
  const bool is_good_token = code == policy::Code::kInsufficientPermissions;
  if (IsWithinRate(is_good_token ? good_tokens_ : other_tokens_, now_nanos)) return true;
  Lose(is_good_token ? LostDecision::kRate : LostDecision::kTokenRate);
  return false;
}

bool DecisionLog::IsWithinRate(Window& window, int64_t now_nanos) const {
  const int64_t second = now_nanos / kNanosInASecond;
  int64_t before = window.load(std::memory_order_relaxed);
  while (true) {
    // Another thread may have looked at the clock later: its second goes on.
    const bool is_new = second > before >> kCountBits;
    const int64_t count = is_new ? 0 : before & ((int64_t{1} << kCountBits) - 1);
    if (count >= options_.denials_per_second) return false;
    const int64_t after = is_new ? (second << kCountBits) + 1 : before + 1;
    if (window.compare_exchange_weak(before, after, std::memory_order_relaxed)) return true;
  }
}

void DecisionLog::Lose(LostDecision why, int64_t count) {
  const auto i = static_cast<size_t>(why);
  counters_.lost[i].fetch_add(count, std::memory_order_relaxed);
  untold_[i].fetch_add(count, std::memory_order_relaxed);
}

bool DecisionLog::HasRoom() {
  MutexLock lock(mu_);
  return !is_full_;
}

void DecisionLog::Write(const DecidedCall& call, const Decided& decided) {
  if (!HasRoom()) return Lose(LostDecision::kQueue);
  const absl::Time now = clock_.Now();
  const int64_t micros = (clock_.SteadyNanos() - call.started_nanos) / 1000;
  std::string line = DecisionLine(call, decided, now, micros, !options_.without_facts);
  if (line.size() > kMaxLine && !options_.without_facts) {
    line = DecisionLine(call, decided, now, micros, /*with_facts=*/false);
  }
  {
    MutexLock lock(mu_);
    if (queue_.size() + in_hand_ + line.size() <= queue_bytes_) {
      const bool was_empty = queue_.empty();
      queue_ += line;
      if (was_empty) changed_.NotifyOne();
      return;
    }
    is_full_ = !queue_.empty() || in_hand_ > 0;  // else nothing would make room
  }
  Lose(LostDecision::kQueue);
}

void DecisionLog::Run() {
  std::string lines;
  while (true) {
    {
      MutexLock lock(mu_);
      in_hand_ = 0;
      is_full_ = false;
      const int64_t until = clock_.SteadyNanos() + kTellNanos;
      while (queue_.empty() && !stopping_ && clock_.SteadyNanos() < until) {
        clock_.WaitUntil(mu_, changed_, until);
      }
      if (queue_.empty() && stopping_) break;
      lines.clear();
      std::swap(lines, queue_);
      in_hand_ = lines.size();
    }
    if (lines.empty()) {
      TellLosses();
    } else {
      Append(lines);
    }
  }
  TellLosses();
}

void DecisionLog::TellLosses() {
  std::array<int64_t, kLostDecisionNames.size()> lost{};
  for (size_t i = 0; i < lost.size(); ++i) lost[i] = untold_[i].load(std::memory_order_relaxed);
  if (std::accumulate(lost.begin(), lost.end(), int64_t{0}) == 0) return;
  int64_t written = 0;
  const absl::Status status = file_.Append(LossLine(lost, clock_.Now()), written);
  if (!status.ok()) return Complain(status);
  for (size_t i = 0; i < lost.size(); ++i) {
    untold_[i].fetch_sub(lost[i], std::memory_order_relaxed);
  }
}

void DecisionLog::Append(const std::string& lines) {
  TellLosses();
  int64_t written = 0;
  const absl::Status status = file_.Append(lines, written);
  counters_.written.fetch_add(written, std::memory_order_relaxed);
  if (!status.ok()) {
    Lose(LostDecision::kFile, std::count(lines.begin(), lines.end(), '\n') - written);
    return Complain(status);
  }
  if (!std::exchange(complained_, false)) return;
  log::Info("decisions are written again", {{"file", options_.path}});
}

void DecisionLog::Complain(const absl::Status& status) {
  const int64_t now = clock_.SteadyNanos();
  const bool again = std::exchange(complained_, true);
  if (again && now - complained_nanos_ < kComplaintNanos) return;
  complained_nanos_ = now;
  log::Error("decisions are lost", {{"reason", std::string(status.message())}});
}

}  // namespace gatehouse::frontend
