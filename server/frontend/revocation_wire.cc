#include "server/frontend/revocation_wire.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/base/text.h"
#include "server/frontend/wire.h"
#include "server/jose/jwt_verifier.h"
#include "server/jose/openssl.h"
#include "server/revocation/random_id.h"

namespace gatehouse::frontend {
namespace {

using engine::Revoker;
using google::protobuf::Timestamp;
using revocation::Fact;
using revocation::NewFact;
using revocation::Reinstatement;
using revocation::TagKind;

constexpr size_t kIdentityDigits = 64;
constexpr size_t kMaxNameBytes = 4096;
constexpr size_t kMaxActorBytes = 256;
// What clocks of two machines are taken to differ by at most.
constexpr absl::Duration kClocks = absl::Hours(24);

constexpr std::array<std::pair<absl::string_view, TagKind>, 7> kKinds = {{
    {"token", TagKind::kToken},
    {"token_id", TagKind::kTokenId},
    {"session", TagKind::kSession},
    {"subject", TagKind::kSubject},
    {"tenant", TagKind::kTenant},
    {"client", TagKind::kClient},
    {"key", TagKind::kKey},
}};

absl::Status Wrong(absl::string_view field, absl::string_view how) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", how));
}

// A target that is named: any but a token. Views into the message.
struct NamedTarget {
  TagKind kind;
  absl::string_view field;   // "session"
  absl::string_view member;  // "session_id"
  absl::string_view issuer;
  absl::string_view value;
  bool by_time = false;  // may name an issued_until
  const Timestamp* issued_until = nullptr;

  std::string At(absl::string_view what) const { return absl::StrCat(field, ".", what); }
};

template <typename ByTime>
NamedTarget UpTo(TagKind kind, absl::string_view field, absl::string_view member,
                 const ByTime& target, absl::string_view value) {
  return {.kind = kind,
          .field = field,
          .member = member,
          .issuer = target.issuer(),
          .value = value,
          .by_time = true,
          .issued_until = target.has_issued_until() ? &target.issued_until() : nullptr};
}

// Of a RevokeRequest or a Revocation. Nullopt for a token's and for none.
template <typename Message>
std::optional<NamedTarget> TargetOf(const Message& m) {
  switch (m.target_case()) {
    case Message::kTokenId:
      return NamedTarget{TagKind::kTokenId, "token_id", "token_id", m.token_id().issuer(),
                         m.token_id().token_id()};
    case Message::kSession:
      return NamedTarget{TagKind::kSession, "session", "session_id", m.session().issuer(),
                         m.session().session_id()};
    case Message::kSubject:
      return UpTo(TagKind::kSubject, "subject", "subject", m.subject(), m.subject().subject());
    case Message::kTenant:
      return UpTo(TagKind::kTenant, "tenant", "tenant", m.tenant(), m.tenant().tenant());
    case Message::kClient:
      return UpTo(TagKind::kClient, "client", "client_id", m.client(), m.client().client_id());
    case Message::kKey:
      return NamedTarget{TagKind::kKey, "key", "key_id", m.key().issuer(), m.key().key_id()};
    default:
      return std::nullopt;
  }
}

template <typename ByTime>
void SetIssuedUntil(const Fact& fact, ByTime& target) {
  if (fact.suspends) return;
  SetTimestamp(absl::FromUnixSeconds(fact.issued_until), *target.mutable_issued_until());
}

void FillTarget(const Fact& fact, v1::Revocation& out) {
  switch (fact.kind) {
    case TagKind::kToken:
      out.set_token_identity(fact.target);
      break;
    case TagKind::kTokenId:
      out.mutable_token_id()->set_issuer(fact.issuer);
      out.mutable_token_id()->set_token_id(fact.target);
      break;
    case TagKind::kSession:
      out.mutable_session()->set_issuer(fact.issuer);
      out.mutable_session()->set_session_id(fact.target);
      break;
    case TagKind::kSubject:
      out.mutable_subject()->set_issuer(fact.issuer);
      out.mutable_subject()->set_subject(fact.target);
      SetIssuedUntil(fact, *out.mutable_subject());
      break;
    case TagKind::kTenant:
      out.mutable_tenant()->set_issuer(fact.issuer);
      out.mutable_tenant()->set_tenant(fact.target);
      SetIssuedUntil(fact, *out.mutable_tenant());
      break;
    case TagKind::kClient:
      out.mutable_client()->set_issuer(fact.issuer);
      out.mutable_client()->set_client_id(fact.target);
      SetIssuedUntil(fact, *out.mutable_client());
      break;
    case TagKind::kKey:
      out.mutable_key()->set_issuer(fact.issuer);
      out.mutable_key()->set_key_id(fact.target);
      break;
  }
}

absl::Status CheckText(absl::string_view field, absl::string_view text, size_t most) {
  if (text.size() > most) return Wrong(field, absl::StrCat("longer than ", most, " bytes"));
  if (HasControlCharacter(text)) return Wrong(field, "holds a control character");
  return absl::OkStatus();
}

absl::Status CheckName(absl::string_view field, absl::string_view name, size_t most) {
  if (name.empty()) return Wrong(field, "is not set");
  return CheckText(field, name, most);
}

// When something was written down, which lies behind us.
absl::StatusOr<absl::Time> PastTime(const Timestamp& stamp, absl::string_view field,
                                    absl::Time now) {
  GH_ASSIGN_OR_RETURN(const absl::Time time, FromTimestamp(stamp, field));
  if (time < absl::UnixEpoch()) return Wrong(field, "lies before 1970");
  if (time > now + kClocks) return Wrong(field, "lies more than a day ahead");
  return time;
}

// Tag, kind, issuer and target.
absl::Status ReadTarget(const v1::Revocation& in, const std::optional<NamedTarget>& named,
                        Fact& out) {
  GH_RETURN_IF_ERROR(CheckName("issuer", in.issuer(), kMaxNameBytes));
  out.issuer = in.issuer();
  if (in.target_case() == v1::Revocation::kTokenIdentity) {
    if (!revocation::IsHex(in.token_identity(), kIdentityDigits)) {
      return Wrong("token_identity", "must be 64 hexadecimal digits in lower case");
    }
    const std::string bytes = absl::HexStringToBytes(in.token_identity());
    std::array<uint8_t, 32> identity;
    std::copy(bytes.begin(), bytes.end(), identity.begin());
    out.kind = TagKind::kToken;
    out.target = in.token_identity();
    out.tag = revocation::TokenTag(identity);
    return absl::OkStatus();
  }
  if (!named.has_value()) return Wrong("target", "is not set, or is none that is known here");
  if (named->issuer != in.issuer()) return Wrong(named->At("issuer"), "is not the same as issuer");
  GH_RETURN_IF_ERROR(CheckName(named->At(named->member), named->value, jose::kMaxIdBytes));
  out.kind = named->kind;
  out.target = std::string(named->value);
  out.tag = revocation::MakeTag(out.kind, out.issuer, out.target);
  return absl::OkStatus();
}

absl::Status ReadSuspension(const v1::Revocation& in, const std::optional<NamedTarget>& named,
                            Fact& out) {
  if (out.kind == TagKind::kToken || out.kind == TagKind::kKey) {
    return Wrong("expire_time", "a token or a key cannot be suspended");
  }
  if (named->issued_until != nullptr) {
    return Wrong(named->At("issued_until"), "a suspension covers every token");
  }
  GH_ASSIGN_OR_RETURN(out.end_time, FromTimestamp(in.expire_time(), "expire_time"));
  if (in.has_end_time()) {
    GH_ASSIGN_OR_RETURN(const absl::Time end, FromTimestamp(in.end_time(), "end_time"));
    if (end != out.end_time) return Wrong("end_time", "is not the same as expire_time");
  }
  if (out.end_time > out.create_time + Revoker::kLongestSuspension) {
    return Wrong("expire_time", "lies more than ten years behind create_time");
  }
  out.suspends = true;
  return absl::OkStatus();
}

// When it was made, what it covers and when it ends.
absl::Status ReadTimes(const v1::Revocation& in, const std::optional<NamedTarget>& named,
                       absl::Time now, Fact& out) {
  if (!in.has_create_time()) return Wrong("create_time", "is not set");
  GH_ASSIGN_OR_RETURN(out.create_time, PastTime(in.create_time(), "create_time", now));
  if (in.has_expire_time()) {
    GH_RETURN_IF_ERROR(ReadSuspension(in, named, out));
  } else {
    if (in.has_end_time()) {
      if (out.kind == TagKind::kKey) return Wrong("end_time", "a key is revoked for ever");
      GH_ASSIGN_OR_RETURN(out.end_time, FromTimestamp(in.end_time(), "end_time"));
    }
    if (named.has_value() && named->by_time) {
      const std::string field = named->At("issued_until");
      if (named->issued_until == nullptr) return Wrong(field, "is not set");
      GH_ASSIGN_OR_RETURN(const absl::Time until, FromTimestamp(*named->issued_until, field));
      if (until > out.create_time + kClocks) {
        return Wrong(field, "lies more than a day behind create_time");
      }
      out.issued_until = absl::ToUnixSeconds(until);
    }
  }
  // A clock that is set back between two readings makes no end of a year ago.
  if (out.end_time < out.create_time - kClocks) {
    return Wrong(in.has_expire_time() ? "expire_time" : "end_time", "lies before create_time");
  }
  return absl::OkStatus();
}

absl::Status ReadReinstatement(const v1::Reinstatement& in, absl::Time now, Fact& out) {
  const std::string at = "reinstatement.";
  Reinstatement reinstated;
  if (!revocation::IsId(in.id())) return Wrong(at + "id", "must be 32 hexadecimal digits");
  reinstated.id = in.id();
  if (!in.has_create_time()) return Wrong(at + "create_time", "is not set");
  GH_ASSIGN_OR_RETURN(reinstated.create_time, PastTime(in.create_time(), at + "create_time", now));
  GH_RETURN_IF_ERROR(CheckText(at + "actor", in.actor(), kMaxActorBytes));
  reinstated.actor = in.actor();
  if (const absl::Status status = Revoker::CheckReason(in.reason()); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(at, status.message()));
  }
  reinstated.reason = in.reason();
  out.reinstated = std::move(reinstated);
  return absl::OkStatus();
}

// Says which query a page token is of, so that one of another is noticed. Guards
// against mistakes alone: whoever may list may list everything.
std::string Checksum(int64_t before_revision, v1::ListRevocationsRequest request,
                     absl::string_view store_id) {
  request.clear_page_size();
  request.clear_page_token();
  request.DiscardUnknownFields();
  const std::array<uint8_t, 32> hash =
      jose::Sha256(absl::StrCat(store_id, "/", before_revision, "/", request.SerializeAsString()));
  return absl::BytesToHexString({reinterpret_cast<const char*>(hash.data()), 8});
}

}  // namespace

void FillRevocation(const Fact& fact, v1::Revocation& out) {
  out.set_id(fact.id);
  FillTarget(fact, out);
  out.set_issuer(fact.issuer);
  out.set_reason(fact.reason);
  SetTimestamp(fact.create_time, *out.mutable_create_time());
  out.set_actor(fact.actor);
  if (fact.end_time != absl::InfiniteFuture()) SetTimestamp(fact.end_time, *out.mutable_end_time());
  if (fact.suspends) SetTimestamp(fact.end_time, *out.mutable_expire_time());
  out.set_revision(fact.revision);
  if (!fact.reinstated.has_value()) return;
  v1::Reinstatement& reinstatement = *out.mutable_reinstatement();
  reinstatement.set_id(fact.reinstated->id);
  reinstatement.set_reason(fact.reinstated->reason);
  SetTimestamp(fact.reinstated->create_time, *reinstatement.mutable_create_time());
  reinstatement.set_actor(fact.reinstated->actor);
  reinstatement.set_revision(fact.reinstated->revision);
}

void HidePeople(v1::Revocation& revocation) {
  revocation.clear_actor();
  revocation.clear_reason();
  if (!revocation.has_reinstatement()) return;
  revocation.mutable_reinstatement()->clear_actor();
  revocation.mutable_reinstatement()->clear_reason();
}

absl::StatusOr<NewFact> ToNewFact(const Revoker& revoker, const v1::RevokeRequest& request,
                                  const std::string& actor) {
  const std::optional<NamedTarget> named = TargetOf(request);
  if (!named.has_value()) {
    return Wrong("target",
                 "is not set; give one of token, token_id, session, subject, tenant, client, key");
  }
  Revoker::Target target{.kind = named->kind, .issuer = named->issuer, .value = named->value};
  if (named->issued_until != nullptr) {
    GH_ASSIGN_OR_RETURN(target.issued_until,
                        FromTimestamp(*named->issued_until, named->At("issued_until")));
  }
  if (request.has_expire_time()) {
    GH_ASSIGN_OR_RETURN(target.expire_time, FromTimestamp(request.expire_time(), "expire_time"));
  }
  return revoker.Named(target, {actor, request.reason()});
}

absl::StatusOr<Fact> ToFact(const v1::Revocation& in, absl::Time now) {
  Fact out;
  if (!revocation::IsId(in.id())) return Wrong("id", "must be 32 hexadecimal digits in lower case");
  out.id = in.id();
  const std::optional<NamedTarget> named = TargetOf(in);
  GH_RETURN_IF_ERROR(ReadTarget(in, named, out));
  GH_RETURN_IF_ERROR(ReadTimes(in, named, now, out));
  GH_RETURN_IF_ERROR(CheckText("actor", in.actor(), kMaxActorBytes));
  out.actor = in.actor();
  GH_RETURN_IF_ERROR(Revoker::CheckReason(in.reason()));
  out.reason = in.reason();
  if (in.has_reinstatement()) {
    GH_RETURN_IF_ERROR(ReadReinstatement(in.reinstatement(), now, out));
  }
  return out;
}

absl::StatusOr<revocation::ListQuery> ToQuery(const v1::ListRevocationsRequest& request,
                                              absl::string_view store_id) {
  revocation::ListQuery query;
  if (request.page_size() < 0) return Wrong("page_size", "must not be negative");
  if (request.page_size() > 0)
    query.limit = std::min(request.page_size(), revocation::ListQuery::kMaxLimit);
  if (!request.kind().empty()) {
    const auto* const kind = std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& known) {
      return known.first == request.kind();
    });
    if (kind == kKinds.end()) {
      return Wrong("kind", "must be token, token_id, session, subject, tenant, client or key");
    }
    query.kind = kind->second;
  }
  GH_RETURN_IF_ERROR(CheckText("issuer", request.issuer(), kMaxNameBytes));
  GH_RETURN_IF_ERROR(CheckText("actor", request.actor(), kMaxActorBytes));
  query.issuer = request.issuer();
  query.actor = request.actor();
  if (request.has_created_from()) {
    GH_ASSIGN_OR_RETURN(query.created_from, FromTimestamp(request.created_from(), "created_from"));
  }
  if (request.has_created_before()) {
    GH_ASSIGN_OR_RETURN(query.created_before,
                        FromTimestamp(request.created_before(), "created_before"));
  }
  query.with_past = request.with_past();
  const std::string& token = request.page_token();
  if (!token.empty() &&
      (!absl::SimpleAtoi(token.substr(0, token.find('-')), &query.before_revision) ||
       query.before_revision <= 0 ||
       PageToken(query.before_revision, request, store_id) != token)) {
    return Wrong("page_token", "was not given by an earlier page of this list");
  }
  return query;
}

std::string PageToken(int64_t before_revision, const v1::ListRevocationsRequest& request,
                      absl::string_view store_id) {
  return absl::StrCat(before_revision, "-", Checksum(before_revision, request, store_id));
}

}  // namespace gatehouse::frontend
