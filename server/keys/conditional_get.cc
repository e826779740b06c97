#include "server/keys/conditional_get.h"

#include <utility>

#include "server/base/status_macros.h"

namespace gatehouse::keys {

absl::StatusOr<FetchAnswer> ConditionalGet::Get(const std::function<void()>& meanwhile) {
  GH_ASSIGN_OR_RETURN(FetchAnswer answer, fetcher_.Get(request_, meanwhile));
  if (answer.not_modified) {
    // RFC 9111 section 4.3.4: what the 304 leaves unsaid is as it was.
    answer.body = std::move(last_.body);
    if (answer.validators.empty()) answer.validators = last_.validators;
    if (!answer.lifetime.has_value()) answer.lifetime = last_.lifetime;
  }
  request_.known = answer.validators;
  last_ = answer;
  return answer;
}

}  // namespace gatehouse::keys
