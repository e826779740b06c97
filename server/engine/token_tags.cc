#include "server/engine/token_tags.h"

#include <array>

namespace gatehouse::engine {
namespace {

using revocation::TagKind;

struct Row {
  TagKind kind;
  absl::string_view name;
  absl::string_view policy::Principal::* value;
};

// Between the token's own tag, which is the first, and its key's, the last.
constexpr std::array<Row, 5> kRows = {{
    {TagKind::kTokenId, "token id", &policy::Principal::token_id},
    {TagKind::kSession, "session", &policy::Principal::session_id},
    {TagKind::kSubject, "subject", &policy::Principal::subject},
    {TagKind::kTenant, "tenant", &policy::Principal::tenant},
    {TagKind::kClient, "client", &policy::Principal::client_id},
}};

}  // namespace

revocation::TokenTags TagsOf(const policy::Principal& principal, const jose::VerifiedJwt& jwt) {
  revocation::TokenTags out;
  out.tags.push_back(revocation::TokenTag(jwt.identity()));
  for (const Row& row : kRows) {
    const absl::string_view value = principal.*row.value;
    if (!value.empty()) {
      out.tags.push_back(revocation::MakeTag(row.kind, principal.issuer, value));
    }
  }
  out.tags.push_back(revocation::MakeTag(TagKind::kKey, principal.issuer, jwt.key()->name()));
  if (principal.issue_time.has_value()) {
    out.issued_at = absl::ToUnixSeconds(*principal.issue_time);  // rounds down
  }
  return out;
}

absl::string_view KindOfTag(const policy::Principal& principal, size_t index) {
  if (index == 0) return "token";
  for (const Row& row : kRows) {
    if (!(principal.*row.value).empty() && --index == 0) return row.name;
  }
  return "key";
}

std::optional<revocation::Tag> SessionTagOf(const policy::Principal& principal,
                                            const revocation::TokenTags& tags) {
  if (principal.session_id.empty()) return std::nullopt;
  return tags.tags[principal.token_id.empty() ? 1 : 2];
}

}  // namespace gatehouse::engine
