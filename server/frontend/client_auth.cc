#include "server/frontend/client_auth.h"

#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "server/frontend/form.h"

namespace gatehouse::frontend {
namespace {

using Outcome = ClientAuth::Outcome;

const std::string* Find(const std::vector<std::pair<std::string, std::string>>& form,
                        absl::string_view name) {
  for (const auto& [key, value] : form) {
    if (key == name && !value.empty()) return &value;  // one without value counts as left out
  }
  return nullptr;
}

ClientAuth Known(const Caller* caller) {
  if (caller == nullptr) return {};
  return {.outcome = Outcome::kKnown, .caller = caller};
}

// The caller of this name, if the secret is its token.
const Caller* Check(absl::string_view name, absl::string_view secret, const CallerTable& callers,
                    CallerTable::Memory& memory) {
  const Caller* const caller = callers.FindByToken(secret, memory);
  return caller != nullptr && caller->name == name ? caller : nullptr;
}

ClientAuth CheckBasic(absl::string_view credentials, const CallerTable& callers,
                      CallerTable::Memory& memory) {
  std::string pair;
  if (!absl::Base64Unescape(credentials, &pair)) return {.outcome = Outcome::kUnclear};
  const absl::string_view text = pair;
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos) return {.outcome = Outcome::kUnclear};
  const absl::string_view name = text.substr(0, colon);
  const absl::string_view secret = text.substr(colon + 1);
  const auto decoded_name = FormDecode(name);
  const auto decoded_secret = FormDecode(secret);
  const Caller* caller = nullptr;
  if (decoded_name.has_value() && decoded_secret.has_value()) {
    caller = Check(*decoded_name, *decoded_secret, callers, memory);
  }
  return Known(caller != nullptr ? caller : Check(name, secret, callers, memory));
}

ClientAuth CheckHeader(absl::string_view value, const CallerTable& callers,
                       CallerTable::Memory& memory) {
  const size_t space = value.find(' ');
  if (space == absl::string_view::npos) return {.outcome = Outcome::kUnclear};
  const absl::string_view scheme = value.substr(0, space);
  const absl::string_view credentials = value.substr(space + 1);
  if (absl::EqualsIgnoreCase(scheme, "basic")) return CheckBasic(credentials, callers, memory);
  if (absl::EqualsIgnoreCase(scheme, "bearer")) {
    return Known(callers.FindByToken(credentials, memory));
  }
  return {};
}

}  // namespace

ClientAuth Authenticate(const HttpRequest& request,
                        const std::vector<std::pair<std::string, std::string>>& form,
                        const CallerTable& callers, CallerTable::Memory& memory) {
  std::optional<absl::string_view> header;
  for (const auto& [name, value] : request.headers) {
    if (!absl::EqualsIgnoreCase(name, "authorization")) continue;
    if (header.has_value()) return {.outcome = Outcome::kUnclear};
    header = value;
  }
  const std::string* const id = Find(form, "client_id");
  const std::string* const secret = Find(form, "client_secret");
  if (header.has_value()) {
    if (secret != nullptr) return {.outcome = Outcome::kUnclear};
    const ClientAuth found = CheckHeader(*header, callers, memory);
    const bool other =
        found.outcome == Outcome::kKnown && id != nullptr && *id != found.caller->name;
    return other ? ClientAuth{.outcome = Outcome::kOther} : found;
  }
  if (secret == nullptr) return {};
  if (id == nullptr) return {.outcome = Outcome::kUnclear};
  return Known(Check(*id, *secret, callers, memory));
}

}  // namespace gatehouse::frontend
