#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/engine/authorizer.h"

namespace gatehouse::frontend {

// Writes denials to the log with their true reason, at most kPerSecond a second
// and reason, and says how many it left out: a flood of bad tokens must fill no
// disk and hide no other reason. Thread-safe.
class DenialLog {
 public:
  static constexpr int kPerSecond = 5;
  static constexpr size_t kMaxReasons = 256;

  explicit DenialLog(const Clock& clock) : clock_(clock) {}

  // `examined` was decided and is not kOk. `caller` has asked.
  void Write(absl::string_view method, absl::string_view caller, absl::string_view id,
             const engine::Examination& examined);

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
