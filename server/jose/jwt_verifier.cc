#include "server/jose/jwt_verifier.h"

#include <algorithm>

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

// A parsed document is ten times its text, and a token may wait for its key: the
// document of a longer claims set is made again when it is needed.
constexpr size_t kKeepDocumentBytes = 1024;

JsonParser& ThreadParser() {
  thread_local JsonParser parser;
  return parser;
}

absl::Status Invalid(absl::string_view message) { return absl::InvalidArgumentError(message); }

absl::Status CheckRules(const Claims& claims, const IssuerRules& rules) {
  if (claims.issuer != rules.issuer) return Invalid("claim iss is another issuer's");
  const bool addressed = std::any_of(
      claims.audiences.begin(), claims.audiences.end(), [&](const std::string& audience) {
        return !audience.empty() && std::find(rules.audiences.begin(), rules.audiences.end(),
                                              audience) != rules.audiences.end();
      });
  if (!addressed) return Invalid("claim aud holds none of the issuer's audiences");
  if (!claims.issue_time.has_value()) {
    return rules.allow_missing_iat ? absl::OkStatus() : Invalid("claim iat is missing");
  }
  if (claims.expire_time - *claims.issue_time > rules.max_token_lifetime) {
    return Invalid("exp - iat is longer than the issuer's max_token_lifetime");
  }
  return absl::OkStatus();
}

bool IsListed(Algorithm algorithm, const IssuerRules& rules) {
  return std::find(rules.algorithms.begin(), rules.algorithms.end(), algorithm) !=
         rules.algorithms.end();
}

}  // namespace

struct UnverifiedJwt::Parts {
  std::string signing_input;
  std::string signature;  // decoded
  std::array<uint8_t, 32> identity{};
  JwsHeader header;
  Claims claims;  // what ReadRegisteredClaims reads, and the json
  bool has_document = false;
  JsonDocument document;

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
};

UnverifiedJwt::UnverifiedJwt(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
UnverifiedJwt::~UnverifiedJwt() = default;
UnverifiedJwt::UnverifiedJwt(UnverifiedJwt&&) noexcept = default;
UnverifiedJwt& UnverifiedJwt::operator=(UnverifiedJwt&&) noexcept = default;

absl::string_view UnverifiedJwt::issuer() const { return parts_->claims.issuer; }
const std::optional<std::string>& UnverifiedJwt::kid() const { return parts_->header.kid; }
Algorithm UnverifiedJwt::algorithm() const { return parts_->header.algorithm; }
const std::array<uint8_t, 32>& UnverifiedJwt::identity() const { return parts_->identity; }

absl::StatusOr<UnverifiedJwt> UnverifiedJwt::Parse(absl::string_view token) {
  if (token.size() > kMaxTokenBytes) {
    return Invalid(absl::StrCat("longer than ", kMaxTokenBytes, " bytes"));
  }
  GH_ASSIGN_OR_RETURN(const CompactJws jws, SplitCompactJws(token));
  auto parts = std::make_unique<Parts>();
  parts->signature.resize(DecodedBase64UrlSize(jws.signature.size()));
  if (!DecodeBase64Url(jws.signature, parts->signature.data())) {
    return Invalid("signature: not base64url");
  }
  GH_ASSIGN_OR_RETURN(parts->header, ParseJwsHeader(jws.header));

  Claims& claims = parts->claims;
  const size_t size = DecodedBase64UrlSize(jws.payload.size());
  claims.json.resize(size + kJsonPadding);
  if (!DecodeBase64Url(jws.payload, claims.json.data())) return Invalid("claims: not base64url");
  claims.json.resize(size);
  const absl::StatusOr<JsonObject> object = parts->ClaimsObject();
  if (!object.ok()) return Invalid(absl::StrCat("claims: ", object.status().message()));
  GH_RETURN_IF_ERROR(ReadRegisteredClaims(*object, claims));
  if (size > kKeepDocumentBytes) {
    parts->document = JsonDocument();
    parts->has_document = false;
  }

  parts->signing_input.assign(jws.signing_input.data(), jws.signing_input.size());
  parts->identity = Sha256(jws.signing_input);
  return UnverifiedJwt(std::move(parts));
}

absl::StatusOr<VerifiedJwt> JwtVerifier::Verify(UnverifiedJwt&& jwt, const IssuerRules& rules,
                                                std::shared_ptr<const VerificationKey> key) {
  return Verify(std::move(jwt), rules,
                std::vector<std::shared_ptr<const VerificationKey>>{std::move(key)});
}

absl::StatusOr<VerifiedJwt> JwtVerifier::Verify(
    UnverifiedJwt&& jwt, const IssuerRules& rules,
    const std::vector<std::shared_ptr<const VerificationKey>>& candidates) {
  const std::unique_ptr<UnverifiedJwt::Parts> parts = std::move(jwt.parts_);
  if (parts == nullptr) return absl::InternalError("the token was verified before");
  const Algorithm algorithm = parts->header.algorithm;
  if (!IsListed(algorithm, rules)) return Invalid("alg is not on the issuer's list");
  GH_RETURN_IF_ERROR(CheckRules(parts->claims, rules));
  GH_ASSIGN_OR_RETURN(const JsonObject object, parts->ClaimsObject());
  GH_RETURN_IF_ERROR(ReadNamedClaims(object, rules.claims, parts->claims));

  absl::string_view reason = "no key for it";
  for (const std::shared_ptr<const VerificationKey>& key : candidates) {
    if (key == nullptr) continue;
    if (key->algorithm() != algorithm) {
      reason = "alg is not the key's";
    } else if (key->retired()) {
      reason = "the key is no longer in its issuer's set";
    } else if (!key->Verify(parts->signing_input, parts->signature)) {
      reason = "the signature is wrong";
    } else {
      return VerifiedJwt(std::move(parts->claims), parts->identity, key);
    }
  }
  return Invalid(reason);
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
