#include "server/frontend/shadow.h"

#include <utility>

#include "server/base/log.h"
#include "server/frontend/sample.h"
#include "server/policy/deciding_rule.h"

namespace gatehouse::frontend {
namespace {

using policy::Code;

absl::string_view Word(Code code) { return code == Code::kOk ? "allow" : "deny"; }

}  // namespace

Shadow::Shadow(policy::Policy policy, int percent, const Clock& clock)
    : policy_(std::move(policy)), percent_(percent), rate_(clock) {}

bool Shadow::PicksCall() const { return Sample(percent_); }

ShadowOutcome Shadow::Try(const policy::Policy& in_force, const policy::Principal& principal,
                          const policy::Question& question, Code code, absl::string_view id) {
  const Code would_be = policy_.Decide(principal, question);
  if ((would_be == Code::kOk) == (code == Code::kOk)) return ShadowOutcome::kSame;
  int64_t left_out = 0;
  if (rate_.Admit("shadow", left_out)) {
    log::Info("the shadow policy differs",
              {{"resource", question.resource},
               {"action", question.action},
               {"subject", principal.subject},
               {"issuer", principal.issuer},
               {"verdict", Word(code)},
               {"rule", policy::DecidingRule(in_force, principal, question, code)},
               {"shadow_verdict", Word(would_be)},
               {"shadow_rule", policy::DecidingRule(policy_, principal, question, would_be)},
               {"decision", id},
               {"left_out", left_out}});
  }
  return would_be == Code::kOk ? ShadowOutcome::kWouldAllow : ShadowOutcome::kWouldDeny;
}

}  // namespace gatehouse::frontend
