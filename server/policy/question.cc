#include "server/policy/question.h"

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
  if (HasControlCharacter(value)) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": holds a control character"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckQuestion(const Question& question) {
  GH_RETURN_IF_ERROR(CheckField("resource", question.resource));
  GH_RETURN_IF_ERROR(CheckField("owner", question.owner));
  GH_RETURN_IF_ERROR(CheckField("action", question.action));
  GH_RETURN_IF_ERROR(CheckField("tenant", question.tenant));
  for (const Relation& relation : question.relations) {
    GH_RETURN_IF_ERROR(CheckField("relations", relation.name));
    for (const absl::string_view subject : relation.subjects) {
      GH_RETURN_IF_ERROR(CheckField("relations", subject));
    }
  }
  for (const auto& [name, value] : question.attributes) {
    GH_RETURN_IF_ERROR(CheckField("attributes", name));
    GH_RETURN_IF_ERROR(CheckField("attributes", value));
  }
  const size_t slash = question.resource.find('/');
  if (slash == absl::string_view::npos || slash == 0 || slash + 1 == question.resource.size()) {
    return absl::InvalidArgumentError(
        "resource: must be \"type/id\" with a type and an id, for example \"task/42\"");
  }
  return absl::OkStatus();
}

}  // namespace gatehouse::policy
