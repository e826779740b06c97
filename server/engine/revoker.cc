#include "server/engine/revoker.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/base/text.h"
#include "server/revocation/index.h"

namespace gatehouse::engine {
namespace {

using policy::Code;
using revocation::NewFact;
using revocation::RevocationIndex;
using revocation::TagKind;

constexpr size_t kMaxReasonBytes = 256;
constexpr absl::Duration kMaxAhead = absl::Seconds(60);

// What a kind of target is called in requests.
struct Words {
  TagKind kind;
  absl::string_view field;
  absl::string_view member;
  bool by_time;  // may name an issued_until
};
constexpr std::array<Words, 6> kWords = {{
    {TagKind::kTokenId, "token_id", "token_id", false},
    {TagKind::kSession, "session", "session_id", false},
    {TagKind::kSubject, "subject", "subject", true},
    {TagKind::kTenant, "tenant", "tenant", true},
    {TagKind::kClient, "client", "client_id", true},
    {TagKind::kKey, "key", "key_id", false},
}};

const Words& WordsOf(TagKind kind) {
  return *std::find_if(kWords.begin(), kWords.end() - 1,
                       [kind](const Words& words) { return words.kind == kind; });
}

absl::Status CheckSuspension(const Revoker::Target& target, absl::Time now) {
  if (target.kind == TagKind::kKey) {
    return absl::InvalidArgumentError("expire_time: a key is revoked for ever");
  }
  if (target.issued_until.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expire_time: a suspension covers every token until then; leave out ",
                     WordsOf(target.kind).field, ".issued_until, or make two revocations"));
  }
  if (*target.expire_time <= now) {
    return absl::InvalidArgumentError("expire_time: does not lie ahead");
  }
  if (*target.expire_time > now + Revoker::kLongestSuspension) {
    return absl::InvalidArgumentError("expire_time: lies more than ten years ahead");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Revoker::CheckReason(absl::string_view reason) {
  if (reason.size() > kMaxReasonBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("reason: longer than ", kMaxReasonBytes, " bytes"));
  }
  if (HasControlCharacter(reason))
    return absl::InvalidArgumentError("reason: holds a control character");
  return absl::OkStatus();
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
  fact.end_time = token.principal.expire_time + RevocationIndex::kMargin;
  fact.actor = std::move(note.actor);
  fact.reason = std::move(note.reason);
  return fact;
}

absl::StatusOr<NewFact> Revoker::Named(const Target& target, Note note) const {
  const Words& words = WordsOf(target.kind);
  const auto wrong = [&](absl::string_view member, absl::string_view how) {
    return absl::InvalidArgumentError(absl::StrCat(words.field, ".", member, ": ", how));
  };
  if (target.issuer.empty()) return wrong("issuer", "is not set");
  if (authorizer_.FindIssuer(target.issuer) == nullptr) {
    return wrong("issuer", "is not the name of a trusted issuer");
  }
  if (target.value.empty()) return wrong(words.member, "is not set");
  if (target.value.size() > jose::kMaxIdBytes) {
    return wrong(words.member, absl::StrCat("longer than ", jose::kMaxIdBytes, " bytes"));
  }
  if (HasControlCharacter(target.value)) {
    return wrong(words.member, "holds a control character");
  }
  GH_RETURN_IF_ERROR(CheckReason(note.reason));
  NewFact fact;
  fact.tag = revocation::MakeTag(target.kind, target.issuer, target.value);
  fact.kind = target.kind;
  fact.issuer = std::string(target.issuer);
  fact.target = std::string(target.value);
  fact.actor = std::move(note.actor);
  fact.reason = std::move(note.reason);
  if (target.expire_time.has_value()) {
    GH_RETURN_IF_ERROR(CheckSuspension(target, clock_.Now()));
    fact.suspends = true;
    fact.end_time = *target.expire_time;
    return fact;
  }
  // A key that has leaked is never good again.
  if (target.kind == TagKind::kKey) return fact;
  // What it covers may lie as far ahead as kMaxAhead. Up to the full hour, so that what is
  // revoked again and again is written once.
  const absl::Time last_iat = clock_.Now() + kMaxAhead;
  fact.end_time = absl::FromUnixSeconds(
      (absl::ToUnixSeconds(last_iat + keep_ + RevocationIndex::kMargin) / 3600 + 1) * 3600);
  if (words.by_time) GH_RETURN_IF_ERROR(SetIssuedUntil(target, fact));
  // Nothing says when a token without iat was minted, nor that it has been good yet.
  if (authorizer_.FindIssuer(target.issuer)->rules.allow_missing_iat) {
    fact.end_time = absl::InfiniteFuture();
  }
  return fact;
}

absl::Status Revoker::SetIssuedUntil(const Target& target, NewFact& fact) const {
  const jose::IssuerRules& rules = authorizer_.FindIssuer(target.issuer)->rules;
  const absl::Time now = clock_.Now();
  const absl::string_view field = WordsOf(target.kind).field;
  if (target.issued_until.has_value() && *target.issued_until > now + kMaxAhead) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ".issued_until: lies more than 60 s ahead"));
  }
  if (target.issued_until.has_value() &&
      *target.issued_until < now - keep_ - RevocationIndex::kMargin) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ".issued_until: lies so far back that no token of then can be good still"));
  }
  fact.issued_until = absl::ToUnixSeconds(target.issued_until.value_or(now + rules.skew));
  return absl::OkStatus();
}

}  // namespace gatehouse::engine
