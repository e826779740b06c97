#pragma once

#include <array>
#include <vector>

#include "gatehouse/v1/authorization_service.pb.h"
#include "server/base/clock.h"
#include "server/engine/authorizer.h"
#include "server/frontend/decision_log.h"
#include "server/frontend/reply.h"
#include "server/frontend/ruleset.h"
#include "server/frontend/unary_call.h"

namespace gatehouse::frontend {

// What is noted of decisions beside their answers: in the decision log of the call's
// ruleset, and by its shadow policy. Neither changes an answer. Each is called before
// the call is ended.

// Whether there is anything to note.
inline bool AreDecisionsNoted(const Ruleset& rules) {
  return rules.decision_log != nullptr || rules.shadow != nullptr;
}

// Notes a call's only decision. `examined` was decided.
void NoteDecision(UnaryCall& call, absl::string_view method, const engine::Examination& examined,
                  const Decided& decided, const Clock& clock);

// The answers to the checks of a batch, in their order.
class BatchAnswers {
 public:
  void Clear() { answers_.clear(); }
  void Add(policy::Code code, absl::string_view id);

  // Notes all of them. Its checks were questions, each.
  void Note(UnaryCall& call, const v1::BatchAuthorizeRequest& request,
            const engine::Examination& examined, const Clock& clock) const;

 private:
  struct Answer {
    policy::Code code;
    std::array<char, DecisionIds::kLength> id;
  };
  std::vector<Answer> answers_;
};

}  // namespace gatehouse::frontend
