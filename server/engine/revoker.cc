#include "server/engine/revoker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/base/text.h"

namespace gatehouse::engine {
namespace {

using policy::Code;
using revocation::NewFact;
using revocation::TagKind;

constexpr size_t kMaxReasonBytes = 256;
// Longer than any clock difference that is forgiven.
constexpr absl::Duration kMargin = absl::Seconds(120);
constexpr absl::Duration kMaxAhead = absl::Seconds(60);

absl::Status CheckReason(absl::string_view reason) {
  if (reason.size() > kMaxReasonBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("reason: longer than ", kMaxReasonBytes, " bytes"));
  }
  if (HasControlCharacter(reason))
    return absl::InvalidArgumentError("reason: holds a control character");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NewFact> Revoker::Make(TagKind kind, absl::string_view field,
                                      absl::string_view issuer, absl::string_view value,
                                      Note note) const {
  if (issuer.empty()) return absl::InvalidArgumentError(absl::StrCat(field, ".issuer: is not set"));
  if (authorizer_.FindIssuer(issuer) == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ".issuer: is not the name of a trusted issuer"));
  }
  const std::string member = absl::StrCat(field, ".",
                                          kind == TagKind::kSubject   ? "subject"
                                          : kind == TagKind::kSession ? "session_id"
                                                                      : "token_id");
  if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(member, ": is not set"));
  if (value.size() > jose::kMaxIdBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(member, ": longer than ", jose::kMaxIdBytes, " bytes"));
  }
  if (HasControlCharacter(value)) {
    return absl::InvalidArgumentError(absl::StrCat(member, ": holds a control character"));
  }
  GH_RETURN_IF_ERROR(CheckReason(note.reason));
  NewFact fact;
  fact.tag = revocation::MakeTag(kind, issuer, value);
  fact.kind = kind;
  fact.issuer = std::string(issuer);
  fact.target = std::string(value);
  // Up to the full hour, so that what is revoked again and again is written once.
  fact.end_time = absl::FromUnixSeconds(
      (absl::ToUnixSeconds(clock_.Now() + keep_ + kMargin) / 3600 + 1) * 3600);
  fact.actor = std::move(note.actor);
  fact.reason = std::move(note.reason);
  return fact;
}

absl::StatusOr<NewFact> Revoker::Token(const Examination& examined, Note note) const {
  if (examined.code == Code::kTokenExpired) {
    return absl::InvalidArgumentError("token: has expired, so there is nothing to revoke");
  }
  if (examined.token == nullptr) {
    return absl::InvalidArgumentError(
        "token: is not one of a trusted issuer that is good now or will be");
  }
  GH_RETURN_IF_ERROR(CheckReason(note.reason));
  const KnownToken& token = *examined.token;
  NewFact fact;
  fact.tag = revocation::TokenTag(token.identity);
  fact.kind = TagKind::kToken;
  fact.issuer = token.issuer->rules.issuer;
  fact.target = absl::BytesToHexString(absl::string_view(
      reinterpret_cast<const char*>(token.identity.data()), token.identity.size()));
  fact.end_time = token.principal.expire_time + kMargin;
  fact.actor = std::move(note.actor);
  fact.reason = std::move(note.reason);
  return fact;
}

absl::StatusOr<NewFact> Revoker::TokenId(absl::string_view issuer, absl::string_view token_id,
                                         Note note) const {
  return Make(TagKind::kTokenId, "token_id", issuer, token_id, std::move(note));
}

absl::StatusOr<NewFact> Revoker::Session(absl::string_view issuer, absl::string_view session_id,
                                         Note note) const {
  return Make(TagKind::kSession, "session", issuer, session_id, std::move(note));
}

absl::StatusOr<NewFact> Revoker::Subject(absl::string_view issuer, absl::string_view subject,
                                         std::optional<absl::Time> issued_until, Note note) const {
  GH_ASSIGN_OR_RETURN(NewFact fact,
                      Make(TagKind::kSubject, "subject", issuer, subject, std::move(note)));
  const jose::IssuerRules& rules = authorizer_.FindIssuer(issuer)->rules;
  const absl::Time now = clock_.Now();
  if (issued_until.has_value() && *issued_until > now + kMaxAhead) {
    return absl::InvalidArgumentError("subject.issued_until: lies more than 60 s ahead");
  }
  if (issued_until.has_value() && *issued_until < now - keep_ - kMargin) {
    return absl::InvalidArgumentError(
        "subject.issued_until: lies so far back that no token of then can be good still");
  }
  fact.issued_until = absl::ToUnixSeconds(issued_until.value_or(now + rules.skew));
  // It covers every token without iat, also those that are issued later.
  if (rules.allow_missing_iat) fact.end_time = absl::InfiniteFuture();
  return fact;
}

}  // namespace gatehouse::engine
