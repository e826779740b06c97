#include "server/edge/outcome.h"

namespace gatehouse::edge {

std::optional<policy::Code> OutcomeOf(const Answer& answer) {
  constexpr int kAllowed = 200;
  constexpr int kBadRequest = 400;
  constexpr int kUnavailable = 503;
  if (answer.status == kAllowed) return policy::Code::kOk;
  if (answer.status == kBadRequest || answer.status == kUnavailable) return std::nullopt;
  // A good token does not make up for what else was amiss.
  if (!answer.looked_at_token || answer.examined.code == policy::Code::kOk) {
    return policy::Code::kInsufficientPermissions;
  }
  return answer.examined.code;
}

}  // namespace gatehouse::edge
