#pragma once

#include <grpcpp/support/status.h>
#include <prometheus/collectable.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/frontend/caller_numbers.h"
#include "server/frontend/decision_log.h"
#include "server/frontend/ruleset.h"
#include "server/frontend/shadow.h"
#include "server/policy/decision.h"
#include "server/revocation/index.h"
#include "server/revocation/store_counters.h"

namespace gatehouse::frontend {

enum class Method {
  kVerify,
  kAuthorize,
  kBatchAuthorize,
  kFilter,
  kCheck,
  kRevoke,
  kReinstate,
  kListRevocations,
  kImportRevocations,
  kBackupRevocations,
  kIntrospect,
  kOAuthRevoke,
  kForwardAuth
};
inline constexpr int kMethods = 13;

// Why a call was not begun.
enum class Refusal {
  kOverload,  // too much at once, from its caller or from all
  kDeadline,  // its deadline had passed
};
inline constexpr int kRefusals = 2;

// gRPC's statuses, OK to UNAUTHENTICATED.
inline constexpr int kStatuses = 17;

// Counters of one serving thread: written by it alone, read by whoever scrapes.
// Relaxed atomics, no lock and no shared cache line on the path of a decision.
class alignas(64) ThreadMetrics {
 public:
  // Upper bounds of the buckets of how long a decision took, in nanoseconds.
  static constexpr std::array<int64_t, 12> kBuckets = {
      1'000,   2'500,   5'000,     10'000,    25'000,     50'000,
      100'000, 250'000, 1'000'000, 5'000'000, 25'000'000, 100'000'000};

  ThreadMetrics() : calls_(CallerNumbers::kCapacity + 1) {}

  // `cache_hit`: of the memory of tokens; nullopt if no token was looked at.
  void CountDecision(Method method, policy::Code code, std::optional<bool> cache_hit,
                     int64_t nanos);
  // Of a batch.
  void CountChecks(policy::Code code, uint64_t checks) {
    Add(checks_[static_cast<size_t>(code)], checks);
  }
  // No decision was made: any gRPC status but OK, or what Check answers instead of one.
  void CountFailure(Method method);
  // A call has ended, of the caller of this number; kUnknownCaller for none.
  void CountCall(size_t caller, grpc::StatusCode status);
  // The shadow policy was tried on a decision.
  void CountShadow(ShadowOutcome outcome) { Add(shadow_[static_cast<size_t>(outcome)]); }
  void CountRefusal(Refusal reason) { Add(refusals_[static_cast<size_t>(reason)]); }
  // How many calls wait for their turn to be verified.
  void SetColdCalls(size_t calls) { cold_calls_.store(calls, std::memory_order_relaxed); }

  static constexpr size_t kUnknownCaller = ~size_t{0};

 private:
  friend class Metrics;
  using Counter = std::atomic<uint64_t>;
  static void Add(Counter& counter, uint64_t n = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }

  std::array<std::array<Counter, policy::kCodes>, kMethods> decisions_{};
  std::array<Counter, policy::kCodes> checks_{};
  std::array<Counter, kMethods> failures_{};
  std::array<Counter, kRefusals> refusals_{};
  std::array<Counter, kShadowOutcomes> shadow_{};
  Counter cold_calls_ = 0;
  // By caller's number; the last are those of unknown ones.
  std::vector<std::array<Counter, kStatuses>> calls_;
  std::array<Counter, kBuckets.size() + 1> latency_{};
  Counter latency_sum_nanos_ = 0;
  Counter cache_hits_ = 0;
  Counter cache_misses_ = 0;
};

// Of those who watch.
struct WatchMetrics {
  std::atomic<int> watchers = 0;  // now
  std::atomic<uint64_t> messages = 0;
  std::atomic<uint64_t> changes = 0;
  std::atomic<uint64_t> fell_behind = 0;
  // Ended, or not begun.
  std::atomic<uint64_t> slow = 0;
  std::atomic<uint64_t> lost_right = 0;
  std::atomic<uint64_t> too_many = 0;
};

// Of the files of listen.tls. Thread-safe.
struct TlsMetrics {
  // There are such files, in force until these times; none: that file is not there.
  void SetInForce(absl::Time certificate, std::optional<absl::Time> client_ca) {
    certificate_until.store(absl::ToUnixSeconds(certificate), std::memory_order_relaxed);
    client_ca_until.store(client_ca.has_value() ? absl::ToUnixSeconds(*client_ca) : kNone,
                          std::memory_order_relaxed);
  }

  static constexpr int64_t kNone = std::numeric_limits<int64_t>::min();
  // Unix seconds.
  std::atomic<int64_t> certificate_until = kNone;
  std::atomic<int64_t> client_ca_until = kNone;
  std::atomic<uint64_t> reloads = 0;
  std::atomic<uint64_t> refused_reloads = 0;
  std::atomic<bool> last_reload_ok = true;
};

// What /metrics shows. Thread-safe.
class Metrics final : public prometheus::Collectable {
 public:
  // All outlive this. `numbers` are those of all callers in `rulesets`.
  Metrics(const Rulesets& rulesets, const revocation::RevocationIndex& index,
          const revocation::StoreCounters& store, const CallerNumbers& numbers,
          const DecisionLogCounters& decision_log, const TlsMetrics& tls, const Clock& clock)
      : rulesets_(rulesets),
        index_(index),
        store_(store),
        numbers_(numbers),
        decision_log_(decision_log),
        tls_(tls),
        clock_(clock),
        reloaded_(absl::ToUnixSeconds(clock.Now())) {}

  // A serving thread's own counters; they live as long as this.
  ThreadMetrics* AddThread();
  // Revocations are acknowledged on the store's thread.
  void CountRevocation(bool existed);
  void CountReinstatement(bool existed) {
    if (!existed) reinstatements_.fetch_add(1, std::memory_order_relaxed);
  }
  void CountImported(int64_t added) {
    imported_.fetch_add(static_cast<uint64_t>(added), std::memory_order_relaxed);
  }
  void CountFailedRevocation() { failed_revocations_.fetch_add(1, std::memory_order_relaxed); }

  // A configuration was put in force at `now`, or one was refused. The server's first
  // one is put in force when this is made, and is no reload.
  void CountReload(bool ok, absl::Time now);

  WatchMetrics& watch() { return watch_; }

  std::vector<prometheus::MetricFamily> Collect() const override;
  // All of it in the Prometheus text format.
  std::string Text() const;

 private:
  void AddReloads(std::vector<prometheus::MetricFamily>& out) const;
  void AddTls(std::vector<prometheus::MetricFamily>& out) const;

  const Rulesets& rulesets_;
  const revocation::RevocationIndex& index_;
  const revocation::StoreCounters& store_;
  const CallerNumbers& numbers_;
  const DecisionLogCounters& decision_log_;
  const TlsMetrics& tls_;
  const Clock& clock_;
  std::atomic<uint64_t> revocations_ = 0;
  std::atomic<uint64_t> repeated_revocations_ = 0;
  std::atomic<uint64_t> failed_revocations_ = 0;
  std::atomic<uint64_t> reinstatements_ = 0;
  std::atomic<uint64_t> imported_ = 0;
  std::atomic<uint64_t> reloads_ = 0;
  std::atomic<uint64_t> refused_reloads_ = 0;
  std::atomic<bool> last_reload_ok_ = true;
  std::atomic<int64_t> reloaded_;  // Unix seconds
  WatchMetrics watch_;
  mutable Mutex mu_;
  std::vector<std::unique_ptr<ThreadMetrics>> threads_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse::frontend
