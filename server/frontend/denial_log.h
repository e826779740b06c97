#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/engine/authorizer.h"
#include "server/policy/policy.h"

namespace gatehouse::frontend {

// Writes denials to the log with their true reason, at most kPerSecond a second
// and reason, and says how many it left out: a flood of bad tokens must fill no
// disk and hide no other reason. Thread-safe.
class DenialLog {
 public:
  // What a policy denied: of a batch the first, and how many were.
  struct ByPolicy {
    const policy::Policy& policy;
    const policy::Question& question;
    int64_t denials = 1;
  };

  static constexpr int kPerSecond = 5;
  static constexpr size_t kMaxReasons = 256;

  explicit DenialLog(const Clock& clock) : clock_(clock) {}

  // `examined` was decided and is not kOk, or its token is good and `by_policy` is not
  // null. `caller` has asked. All that policies deny counts as one reason: which it was
  // is worked out for what is written alone.
  void Write(absl::string_view method, absl::string_view caller, absl::string_view id,
             const engine::Examination& examined, const ByPolicy* by_policy = nullptr);

  // Whether a line for `reason` may be written now; `left_out` is then how many
  // were not since the last one.
  bool Admit(absl::string_view reason, int64_t& left_out);

 private:
  struct Window {
    int64_t second = 0;
    int written = 0;
    int64_t left_out = 0;
  };

  const Clock& clock_;
  Mutex mu_;
  absl::flat_hash_map<std::string, Window> windows_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse::frontend
