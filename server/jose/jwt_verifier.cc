#include "server/jose/jwt_verifier.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/jose/base64url.h"
#include "server/jose/claims.h"
#include "server/jose/json.h"
#include "server/jose/jws.h"
#include "server/jose/openssl.h"

namespace gatehouse::jose {
namespace {

using Key = std::shared_ptr<const VerificationKey>;

// A parsed document is ten times its text, and a token may wait for its key: the
// document of a longer claims set is made again when it is needed.
constexpr size_t kKeepDocumentBytes = size_t{2} * 1024;

JsonParser& ThreadParser() {
  thread_local JsonParser parser;
  return parser;
}

absl::Status Invalid(absl::string_view message) { return absl::InvalidArgumentError(message); }

absl::Status CheckClaims(const Claims& claims, const IssuerRules& rules) {
  if (claims.issuer != rules.issuer) return Invalid("claim iss is another issuer's");
  if (!claims.issue_time.has_value()) {
    return rules.allow_missing_iat ? absl::OkStatus() : Invalid("claim iat is missing");
  }
  if (claims.expire_time - *claims.issue_time > rules.max_token_lifetime) {
    return Invalid("exp - iat is longer than the issuer's max_token_lifetime");
  }
  return absl::OkStatus();
}

template <typename T>
bool IsListed(const T& value, const std::vector<T>& list) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

bool IsAddressed(const Claims& claims, const IssuerRules& rules) {
  return std::any_of(claims.audiences.begin(), claims.audiences.end(),
                     [&](const std::string& audience) {
                       return !audience.empty() && IsListed(audience, rules.audiences);
                     });
}

// A document that keeps its memory for this thread's next token.
JsonDocument& SpareDocument() {
  thread_local JsonDocument spare;
  return spare;
}

}  // namespace

struct UnverifiedJwt::Parts {
  explicit Parts(const CompactJws& jws) : input_bytes(jws.signing_input.size()) {
    text.reserve(input_bytes + DecodedBase64UrlSize(jws.signature.size()));
    text.assign(jws.signing_input.data(), input_bytes);
  }
  ~Parts() { DropDocument(); }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  const size_t input_bytes;
  std::string text;                   // the signing input, then the decoded signature
  std::optional<SigningInput> input;  // points to `text`; set when all else is parsed
  JwsHeader header;
  Claims claims;  // what ReadRegisteredClaims reads, and the json
  bool has_document = false;
  // Never moved from alone: what is left would still claim its capacity.
  JsonDocument document = std::exchange(SpareDocument(), JsonDocument());

  bool ReadSignature(absl::string_view encoded) {
    text.resize(input_bytes + DecodedBase64UrlSize(encoded.size()));
    return DecodeBase64Url(encoded, text.data() + input_bytes);
  }
  absl::string_view signature() const { return absl::string_view(text).substr(input_bytes); }

  void DropDocument() {
    has_document = false;
    JsonDocument dropped = std::exchange(document, JsonDocument());
    if (SpareDocument().capacity() < dropped.capacity()) std::swap(SpareDocument(), dropped);
  }

  // The claims set, parsed once more if its document was not kept.
  absl::StatusOr<JsonObject> ClaimsObject() {
    if (has_document) return RootObject(document);
    const size_t size = claims.json.size();
    claims.json.resize(size + kJsonPadding);
    absl::StatusOr<JsonObject> object =
        ParseJsonObject(ThreadParser(), document, claims.json.data(), size);
    claims.json.resize(size);
    has_document = object.ok();
    return object;
  }

  // All but key and signature.
  absl::Status Check(const IssuerRules& rules, VerifyStep& step);
  // The first candidate that verifies.
  absl::StatusOr<Key> Choose(absl::Span<const Key> candidates, VerifyStep& step) const;
};

absl::Status UnverifiedJwt::Parts::Check(const IssuerRules& rules, VerifyStep& step) {
  step = VerifyStep::kAlgorithm;
  if (!IsListed(header.algorithm, rules.algorithms)) {
    return Invalid("alg is not on the issuer's list");
  }
  step = VerifyStep::kClaims;
  if (!IsListed(header.type, rules.types)) return Invalid("header: typ is not one of the issuer's");
  GH_RETURN_IF_ERROR(CheckClaims(claims, rules));
  GH_ASSIGN_OR_RETURN(const JsonObject object, ClaimsObject());
  GH_RETURN_IF_ERROR(ReadNamedClaims(object, rules.claims, claims));
  GH_RETURN_IF_ERROR(KeepAsserted(rules.may_assert, claims));
  GH_RETURN_IF_ERROR(CheckRequiredClaims(object, rules.required_claims));
  ReadMoreClaims(object, rules.more_claims, claims);
  step = VerifyStep::kAudience;
  return IsAddressed(claims, rules) ? absl::OkStatus()
                                    : Invalid("claim aud holds none of the issuer's audiences");
}

absl::StatusOr<Key> UnverifiedJwt::Parts::Choose(absl::Span<const Key> candidates,
                                                 VerifyStep& step) const {
  step = VerifyStep::kKey;
  absl::string_view reason = "no key for it";
  for (const Key& key : candidates) {
    if (key == nullptr) continue;
    if (key->Accepts(header.algorithm) && !key->retired()) {
      if (key->Verify(header.algorithm, *input, signature())) return key;
      step = VerifyStep::kSignature;
      reason = "the signature is wrong";
    } else if (step == VerifyStep::kKey) {
      reason = key->retired() ? "the key is no longer in its issuer's set" : "alg is not the key's";
    }
  }
  return Invalid(reason);
}

UnverifiedJwt::UnverifiedJwt(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
UnverifiedJwt::~UnverifiedJwt() = default;
UnverifiedJwt::UnverifiedJwt(UnverifiedJwt&&) noexcept = default;
UnverifiedJwt& UnverifiedJwt::operator=(UnverifiedJwt&&) noexcept = default;

absl::string_view UnverifiedJwt::issuer() const { return parts_->claims.issuer; }
const std::optional<std::string>& UnverifiedJwt::kid() const { return parts_->header.kid; }
Algorithm UnverifiedJwt::algorithm() const { return parts_->header.algorithm; }
TokenType UnverifiedJwt::type() const { return parts_->header.type; }
const std::array<uint8_t, 32>& UnverifiedJwt::identity() const { return parts_->input->sha256(); }

absl::StatusOr<UnverifiedJwt> UnverifiedJwt::Parse(absl::string_view token) {
  if (token.size() > kMaxTokenBytes) {
    return Invalid(absl::StrCat("longer than ", kMaxTokenBytes, " bytes"));
  }
  GH_ASSIGN_OR_RETURN(const CompactJws jws, SplitCompactJws(token));
  auto parts = std::make_unique<Parts>(jws);
  if (!parts->ReadSignature(jws.signature)) return Invalid("signature: not base64url");
  GH_ASSIGN_OR_RETURN(parts->header, ParseJwsHeader(jws.header));

  Claims& claims = parts->claims;
  const size_t size = DecodedBase64UrlSize(jws.payload.size());
  claims.json.resize(size + kJsonPadding);
  if (!DecodeBase64Url(jws.payload, claims.json.data())) return Invalid("claims: not base64url");
  claims.json.resize(size);
  const absl::StatusOr<JsonObject> object = parts->ClaimsObject();
  if (!object.ok()) return Invalid(absl::StrCat("claims: ", object.status().message()));
  GH_RETURN_IF_ERROR(ReadRegisteredClaims(*object, claims));
  if (size > kKeepDocumentBytes) parts->DropDocument();
  parts->input.emplace(absl::string_view(parts->text).substr(0, parts->input_bytes));
  return UnverifiedJwt(std::move(parts));
}

absl::StatusOr<VerifiedJwt> JwtVerifier::Verify(
    UnverifiedJwt&& jwt, const IssuerRules& rules,
    absl::Span<const std::shared_ptr<const VerificationKey>> candidates, VerifyStep* failed) {
  VerifyStep unread = VerifyStep::kAlgorithm;
  VerifyStep& step = failed == nullptr ? unread : *failed;
  const std::unique_ptr<UnverifiedJwt::Parts> parts = std::move(jwt.parts_);
  if (parts == nullptr) return absl::InternalError("the token was verified before");
  GH_RETURN_IF_ERROR(parts->Check(rules, step));
  GH_ASSIGN_OR_RETURN(std::shared_ptr<const VerificationKey> key, parts->Choose(candidates, step));
  return VerifiedJwt(std::move(parts->claims), parts->input->sha256(), std::move(key));
}

TimeVerdict JwtVerifier::CheckTime(const TokenTimes& times, const IssuerRules& rules,
                                   absl::Time now) {
  // First: a token that is both is invalid rather than expired.
  const absl::Time ahead = now + rules.skew;
  if ((times.not_before.has_value() && *times.not_before > ahead) ||
      (times.issue_time.has_value() && *times.issue_time > ahead) ||
      (!times.issue_time.has_value() && times.expire_time > ahead + rules.max_token_lifetime)) {
    return TimeVerdict::kNotYetValid;
  }
  return now >= times.expire_time + rules.skew ? TimeVerdict::kExpired : TimeVerdict::kInTime;
}

}  // namespace gatehouse::jose
