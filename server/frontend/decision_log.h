#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/config/config.h"
#include "server/engine/authorizer.h"
#include "server/frontend/decision_file.h"
#include "server/policy/policy.h"

namespace gatehouse::frontend {

// Why a decision that was to be written does not stand in the file.
enum class LostDecision {
  kRate,       // more denials of good tokens in a second than are written
  kTokenRate,  // the same of tokens that are not good
  kQueue,      // they came faster than the disk takes them
  kFile,       // the file could not be written
};
inline constexpr std::array<absl::string_view, 4> kLostDecisionNames = {"rate", "token_rate",
                                                                        "queue", "file"};

// What became of the decisions since the start. Outlives the logs that count here.
struct DecisionLogCounters {
  std::atomic<int64_t> written = 0;
  std::array<std::atomic<int64_t>, kLostDecisionNames.size()> lost{};
};

// What one call was decided on. Views: they live as long as the call. For one thread.
struct DecidedCall {
  absl::string_view method;
  absl::string_view caller;
  const engine::Examination& examined;
  const policy::Policy& policy;
  int64_t started_nanos = 0;  // when it came, on the steady clock
  int64_t now_nanos = 0;      // some time later, read once for all of its decisions
  // What each of its lines says of the principal, as an object; made for the first.
  mutable std::string principal_json = {};
  mutable bool principal_is_lossless = true;
};

// One decision of it. A call of Verify asks nothing.
struct Decided {
  policy::Code code = policy::Code::kOk;
  absl::string_view id;
  const policy::Question* question = nullptr;
  // Of Filter, which asks of a type and not of a thing: its type, action, and outcome.
  absl::string_view resource_type = {};
  absl::string_view action = {};
  absl::string_view outcome = {};
};

// Decisions as lines of JSON in a file, docs/policy.md says which fields. Serving
// threads call Record, which never waits for the disk: a thread of this log's own
// writes. What cannot be written is counted, and told in the file by a line
// {"time":...,"lost":N,...} within a second of when something can. Holds no token.
// Thread-safe.
class DecisionLog {
 public:
  static constexpr size_t kQueueBytes = size_t{4} * 1024 * 1024;
  // A longer line is written without its facts.
  static constexpr size_t kMaxLine = size_t{256} * 1024;

  // FAILED_PRECONDITION with the place if the file cannot be had. `counters` and `clock`
  // outlive the log.
  static absl::StatusOr<std::unique_ptr<DecisionLog>> Open(const config::DecisionLog& options,
                                                           DecisionLogCounters& counters,
                                                           const Clock& clock,
                                                           size_t queue_bytes = kQueueBytes);
  // What Open would need, without making the file.
  static absl::Status Check(const config::DecisionLog& options);

  // Whether it was opened for the same, wherever that stands in the configuration.
  bool IsFor(config::DecisionLog options) const {
    options.place = options_.place;
    options.kept = options_.kept;
    return options == options_;
  }

  // Returns when everything that was recorded is written or counted as lost.
  ~DecisionLog();

  // Whether a decision with this code is to be written: every denial up to the rate, which
  // is one for good tokens and another for all else that anybody may send; a share of the
  // rest. Cheap. What the rate leaves out is counted.
  bool Wants(policy::Code code, int64_t now_nanos);
  // Puts down one that Wants() has taken.
  void Write(const DecidedCall& call, const Decided& decided);
  // Both.
  void Record(const DecidedCall& call, const Decided& decided) {
    if (Wants(decided.code, call.now_nanos)) Write(call, decided);
  }

 private:
  DecisionLog(const config::DecisionLog& options, DecisionFile file, DecisionLogCounters& counters,
              const Clock& clock, size_t queue_bytes);

  // The second in which denials were written last, and how many: second << 24 | count.
  using Window = std::atomic<int64_t>;

  bool IsWithinRate(Window& window, int64_t now_nanos) const;
  // False from the first line that found no room until the disk has taken those before it.
  bool HasRoom();
  void Lose(LostDecision why, int64_t count = 1);
  void Run();
  // On the log's own thread: appends, and says what is missing before it.
  void Append(const std::string& lines);
  void TellLosses();
  void Complain(const absl::Status& status);

  const config::DecisionLog options_;
  const size_t queue_bytes_;
  DecisionLogCounters& counters_;
  const Clock& clock_;

  Window good_tokens_ = 0;
  Window other_tokens_ = 0;
  // Not told in the file yet.
  std::array<std::atomic<int64_t>, kLostDecisionNames.size()> untold_{};

  Mutex mu_;
  CondVar changed_;
  bool stopping_ GH_GUARDED_BY(mu_) = false;
  std::string queue_ GH_GUARDED_BY(mu_);   // whole lines
  size_t in_hand_ GH_GUARDED_BY(mu_) = 0;  // bytes that the thread is writing
  bool is_full_ GH_GUARDED_BY(mu_) = false;

  // The thread's own.
  DecisionFile file_;
  bool complained_ = false;
  int64_t complained_nanos_ = 0;

  std::thread thread_;
};

}  // namespace gatehouse::frontend
