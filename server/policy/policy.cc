#include "server/policy/policy.h"

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/base/text.h"

namespace gatehouse::policy {
namespace {

constexpr size_t kMaxFieldBytes = size_t{4} * 1024;

absl::Status CheckField(absl::string_view name, absl::string_view value) {
  if (value.size() > kMaxFieldBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": longer than ", kMaxFieldBytes, " bytes"));
  }
  if (HasControlCharacter(value))
    return absl::InvalidArgumentError(absl::StrCat(name, ": holds a control character"));
  return absl::OkStatus();
}

bool SameAndSet(absl::string_view a, absl::string_view b) { return !a.empty() && a == b; }

}  // namespace

absl::Status CheckQuestion(const Question& question) {
  GH_RETURN_IF_ERROR(CheckField("resource", question.resource));
  GH_RETURN_IF_ERROR(CheckField("owner", question.owner));
  GH_RETURN_IF_ERROR(CheckField("action", question.action));
  GH_RETURN_IF_ERROR(CheckField("tenant", question.tenant));
  const size_t slash = question.resource.find('/');
  if (slash == absl::string_view::npos || slash == 0 || slash + 1 == question.resource.size()) {
    return absl::InvalidArgumentError(
        "resource: must be \"type/id\" with a type and an id, for example \"task/42\"");
  }
  return absl::OkStatus();
}

Code Policy::Decide(const Principal& principal, const Question& question) const {
  const bool tenant_fits = question.tenant.empty() || SameAndSet(question.tenant, principal.tenant);
  const bool is_owner = SameAndSet(question.owner, principal.subject);
  return owner_may_ && tenant_fits && is_owner ? Code::kOk : Code::kInsufficientPermissions;
}

absl::string_view Policy::WhyDenied(const Principal& principal, const Question& question) const {
  if (!owner_may_) return "several issuers: nothing says whose subject an owner is";
  if (!question.tenant.empty() && !SameAndSet(question.tenant, principal.tenant)) {
    return "the resource's tenant is not the token's";
  }
  if (question.owner.empty()) return "the resource has no owner";
  return "the subject is not the owner";
}

}  // namespace gatehouse::policy
