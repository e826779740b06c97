#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/jose/algorithms.h"
#include "server/jose/claim_path.h"
#include "server/jose/jws.h"
#include "server/jose/verification_key.h"

namespace gatehouse::jose {

// Longer tokens are refused before anything is looked at.
inline constexpr size_t kMaxTokenBytes = size_t{8} * 1024;

// A longer sub, jti, session, tenant or client makes a token invalid, and a longer kid of
// a JWK that key: it could not be revoked.
inline constexpr size_t kMaxIdBytes = 1024;

// Where the claims that become the principal stand; empty: none is read.
struct ClaimNames {
  ClaimPath roles = "roles";
  ClaimPath scopes = "scope";
  // Read in a token that has no `scopes`, or null there.
  ClaimPath scopes_fallback = "scp";
  ClaimPath tenant = {};
  ClaimPath session = "sid";
  ClaimPath client = "client_id";

  bool operator==(const ClaimNames& other) const = default;
};

// What an issuer's word is good for, name by name, byte by byte. Unset: everything. Each
// list is in ascending order; a name that stands out of order may count as absent.
struct MayAssert {
  std::optional<std::vector<std::string>> roles = {};
  std::optional<std::vector<std::string>> scopes = {};
  std::optional<std::vector<std::string>> tenants = {};

  bool operator==(const MayAssert& other) const = default;
};

// What an issuer's tokens must hold to. A value; checked by the configuration.
struct IssuerRules {
  std::string issuer;
  std::vector<std::string> audiences;  // never empty
  std::vector<Algorithm> algorithms;   // never empty
  absl::Duration skew = absl::Seconds(10);
  absl::Duration max_token_lifetime = absl::Hours(24);
  bool allow_missing_iat = false;
  ClaimNames claims;
  // Beside iss, sub, aud, exp and iat. null and "" count as missing.
  std::vector<ClaimPath> required_claims = {};
  // Other claims that are read if they are there: see Claims::more.
  std::vector<ClaimPath> more_claims = {};
  std::vector<TokenType> types = {TokenType::kJwt, TokenType::kAccessToken};  // never empty
  // A role or scope that is not on its list counts as absent; a tenant that is not makes
  // the token invalid.
  MayAssert may_assert = {};

  bool operator==(const IssuerRules& other) const = default;
};

// When a token is good. Cut to the microsecond, never rounded up.
struct TokenTimes {
  absl::Time expire_time;
  std::optional<absl::Time> issue_time;
  std::optional<absl::Time> not_before;
};

// What a claims set says.
struct Claims : TokenTimes {
  std::string issuer;
  std::string subject;
  std::vector<std::string> audiences;
  std::string token_id;    // jti
  std::string session_id;  // empty if absent
  std::string tenant;
  std::string client_id;
  std::string email;
  std::vector<std::string> roles;
  std::vector<std::string> scopes;
  // How many roles and scopes the token has beside these, which its issuer may not assert.
  size_t not_believed = 0;
  // IssuerRules::more_claims that hold a text, a number or a truth value, as text
  // without control characters, by the name in the rules. Those that are absent or null
  // are left out.
  std::vector<std::pair<absl::string_view, std::string>> more;
  // Those that are there and cannot be compared: of another type, too long, or with a
  // control character.
  std::vector<absl::string_view> opaque;
  std::string json;  // the whole claims set, as it stands in the token
};

// A token whose form is right and whose signature nobody has looked at: enough to
// choose the issuer and the key by, and nothing else. Move-only.
class UnverifiedJwt {
 public:
  // INVALID_ARGUMENT with the true reason, for the log, if the token can be good
  // under no issuer and no key: RFC 7515 section 5.2, RFC 7519 section 7.2, and
  // stricter (no `crit`, `b64`, `jwk`, `jku`, `x5u`, `x5c`, no duplicate names, no
  // unknown `typ`, an algorithm of our table, JSON nested 16 deep at most, no
  // control character in sub, sid, jti, tenant, client or roles).
  // The reason holds nothing of the token.
  static absl::StatusOr<UnverifiedJwt> Parse(absl::string_view token);

  ~UnverifiedJwt();
  UnverifiedJwt(UnverifiedJwt&&) noexcept;
  UnverifiedJwt& operator=(UnverifiedJwt&&) noexcept;

  // The `iss` claim, never empty.
  absl::string_view issuer() const;
  // The header's `kid`; nullopt without one.
  const std::optional<std::string>& kid() const;
  Algorithm algorithm() const;
  TokenType type() const;
  // SHA-256 of the signing input: the token's identity, whatever is done to its
  // signature's encoding.
  const std::array<uint8_t, 32>& identity() const;

 private:
  friend class JwtVerifier;
  struct Parts;
  explicit UnverifiedJwt(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// A token that was verified: its signature is `key`'s, and its claims hold to the
// issuer's rules. Only JwtVerifier makes one. Says nothing about now: CheckTime
// does, on every use. Immutable.
class VerifiedJwt {
 public:
  const Claims& claims() const { return claims_; }
  const std::array<uint8_t, 32>& identity() const { return identity_; }
  const std::shared_ptr<const VerificationKey>& key() const { return key_; }

 private:
  friend class JwtVerifier;
  VerifiedJwt(Claims claims, std::array<uint8_t, 32> identity,
              std::shared_ptr<const VerificationKey> key)
      : claims_(std::move(claims)), identity_(identity), key_(std::move(key)) {}

  Claims claims_;
  std::array<uint8_t, 32> identity_;
  std::shared_ptr<const VerificationKey> key_;
};

enum class TimeVerdict {
  kInTime,
  kExpired,  // now >= exp + skew
  // nbf > now + skew, or iat > now + skew; without iat: exp > now + skew +
  // max_token_lifetime, more than any token that exists now may have.
  kNotYetValid,
};

// What of a token was found wrong. The cheap checks come first, so that a forged
// token costs no signature: of a token that fails at kClaims nobody knows whether it
// is genuine, and one that fails at kSignature is right in all before.
enum class VerifyStep {
  kAlgorithm,  // not on the issuer's list
  kClaims,     // iss, typ, iat, lifetime, required claims, the claims it names
  kAudience,   // aud holds none of the issuer's
  kKey,        // no candidate, or none that is in force and accepts the algorithm
  kSignature,  // wrong under every such candidate
};

class JwtVerifier {
 public:
  // Everything but the clock: the algorithm is on the issuer's list and accepted by
  // the key, the key is not retired, the signature is right, iss equals, aud holds
  // one of the list, typ is one of the issuer's, sub is not empty, exp - iat is
  // within max_token_lifetime, iat is there unless it may be missing, no `cnf`, the
  // required claims are there, and the claims named in `rules.claims` have usable
  // types (tenant, session, client: absent, null or one string; roles, scopes:
  // absent, null, a string or an array of strings). A path that runs into something
  // that is no object finds no claim; only for the tenant, and unless it is null, the
  // token is refused: it must never count as one without a tenant. Roles and scopes that
  // `rules.may_assert` does not list are left out; a tenant that it does not list makes
  // the token invalid.
  // INVALID_ARGUMENT with the true reason, for the log; then `failed`, if given, is
  // the step.
  static absl::StatusOr<VerifiedJwt> Verify(UnverifiedJwt&& jwt, const IssuerRules& rules,
                                            const std::shared_ptr<const VerificationKey>& key,
                                            VerifyStep* failed = nullptr) {
    return Verify(std::move(jwt), rules, absl::MakeConstSpan(&key, 1), failed);
  }

  // Of several candidates, for a token without kid: the first that verifies.
  static absl::StatusOr<VerifiedJwt> Verify(
      UnverifiedJwt&& jwt, const IssuerRules& rules,
      absl::Span<const std::shared_ptr<const VerificationKey>> candidates,
      VerifyStep* failed = nullptr);

  static TimeVerdict CheckTime(const TokenTimes& times, const IssuerRules& rules, absl::Time now);
};

}  // namespace gatehouse::jose
