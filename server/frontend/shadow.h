#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/frontend/denial_log.h"
#include "server/policy/policy.h"

namespace gatehouse::frontend {

// What the shadow policy would have done about a decision.
enum class ShadowOutcome { kSame, kWouldAllow, kWouldDeny };
inline constexpr int kShadowOutcomes = 3;

// A policy that is tried beside the one in force. Says what would differ in the log, at
// most DenialLog::kPerSecond a second, and changes no answer. Thread-safe.
class Shadow {
 public:
  // `percent`: of the calls. `clock` outlives this.
  Shadow(policy::Policy policy, int percent, const Clock& clock);

  // Whether a call is among those whose decisions are to be tried.
  bool PicksCall() const;

  // Decides what `in_force` has decided with `code`: kOk or kInsufficientPermissions.
  ShadowOutcome Try(const policy::Policy& in_force, const policy::Principal& principal,
                    const policy::Question& question, policy::Code code, absl::string_view id);

 private:
  const policy::Policy policy_;
  const int percent_;
  DenialLog rate_;
};

}  // namespace gatehouse::frontend
