#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/engine/known_token.h"
#include "server/engine/refusals.h"
#include "server/engine/steps.h"
#include "server/engine/token_cache.h"
#include "server/engine/token_key.h"
#include "server/engine/trace.h"
#include "server/engine/trusted_issuer.h"
#include "server/jose/jwt_verifier.h"
#include "server/keys/key_source.h"
#include "server/policy/decision.h"
#include "server/policy/policy.h"
#include "server/revocation/index.h"

namespace gatehouse::engine {

// What came of the wait for an issuer's keys that an earlier Examination asked for.
enum class KeyNews {
  kNone,     // nobody has waited yet, or what came since proves nothing
  kFetched,  // a set fetched after the call arrived is in force
  kFailed,   // the issuer could not be asked
};

// How much may be done for an answer.
enum class Effort {
  kKnownOnly,  // a look at the memory; a token that is not in it is kUnknown
  kFull,       // the signature is verified: up to a hundred microseconds
};

// How a token is to be looked at.
struct Ask {
  KeyNews news = KeyNews::kNone;
  Effort effort = Effort::kFull;
  // The asker's own audiences: a token's `aud` must hold one of these, beside one of
  // its issuer's. Zero: the asker has none, and the issuer's are enough.
  AudienceMask audiences = 0;
  // Those of the route that the question came by: as `audiences`, and beside them.
  AudienceMask route_audiences = 0;
  // If not null: every step is gone through anew, past the memory and without leaving
  // anything there, and told here. What it holds before is dropped. With kKnownOnly
  // the answer is kUnknown, unless it needs no look at a token.
  Trace* trace = nullptr;
};

// What was found out about a token.
struct Examination {
  enum class Kind {
    kDecided,      // `code` says what it is worth
    kUnknown,      // undecided: not in the memory (with Effort::kKnownOnly)
    kNeedsKeys,    // undecided: wait for `wait_for`, then ask again with the news
    kUnavailable,  // undecided, and waiting will not help: `reason`
  };
  Kind kind = Kind::kDecided;
  policy::Code code = policy::Code::kTokenInvalid;
  // Set for kOk, kTokenExpired, kTokenRevoked and kInsufficientPermissions, and for the
  // kTokenInvalid of a token that is right but not good yet.
  std::shared_ptr<const KnownToken> token;
  // For the log: the first bytes of the token's identity, and its issuer if that is
  // a trusted one. Set as soon as they are known, from the memory too.
  std::optional<std::array<uint8_t, 4>> identity;
  const TrustedIssuer* issuer = nullptr;
  // Of the index, read before it was consulted.
  int64_t revision = 0;
  // When it was weighed. Set with `token`.
  absl::Time now = absl::InfinitePast();
  // The answer may be another one then, by the clock alone.
  absl::Time until = absl::InfiniteFuture();
  keys::KeySource* wait_for = nullptr;
  bool cache_hit = false;
  // Why not, for the log: holds nothing of the token. Of what the policy denies only
  // where there is a trace: Policy::WhyDenied says it to whoever writes it down.
  std::string reason;
};

// The way of a request: bytes, token, key, verified token, not revoked, principal,
// decision. Knows no policy of its own: another one leaves what is remembered of tokens
// as it is. Thread-safe; never blocks on I/O.
class Authorizer {
 public:
  struct Options {
    size_t cache_bytes = size_t{64} * 1024 * 1024;
    // What the bits of Ask::audiences stand for; kMaxAudiences at most.
    std::vector<std::string> audiences = {};
    // Makes KnownToken::rendered.
    std::function<std::string(const policy::Principal&)> render;
    // Beside cache_bytes, for tokens that have expired.
    size_t expired_bytes = size_t{4} * 1024 * 1024;
  };

  // `index` and `clock` outlive the authorizer. No two issuers have the same name.
  Authorizer(std::vector<TrustedIssuer> issuers, const revocation::RevocationIndex& index,
             const Clock& clock, Options options);

  // What `token` is worth now. kInsufficientPermissions never comes from here.
  Examination Examine(absl::string_view token, const Ask& ask = {});

  // The same, and whether its principal may do what `question` asks under `policy`,
  // which was made for these issuers. `question` has passed CheckQuestion.
  Examination Authorize(absl::string_view token, const policy::Policy& policy,
                        const policy::Question& question, const Ask& ask = {});

  const std::vector<TrustedIssuer>& issuers() const { return issuers_; }
  // Null for an issuer that is not trusted.
  const TrustedIssuer* FindIssuer(absl::string_view name) const;
  // The tokens that are good, or were when they were last asked about.
  const TokenCache& cache() const { return cache_; }

 private:
  // What a question is answered by, read once for each.
  struct Moment {
    int64_t revision;  // of the index, before anything was looked up
    absl::Time now;
  };

  Examination Look(absl::string_view token, const Ask& ask, int64_t revision, const Steps& steps);
  // By the memory alone; nullopt if it knows nothing of the token.
  std::optional<Examination> Recall(const TokenKey& key, const Ask& ask, const Moment& moment);
  Examination Verify(const TokenKey& key, const Ask& ask, const Moment& moment, const Steps& steps);
  Examination VerifyParsed(const TokenKey& key, jose::UnverifiedJwt parsed,
                           const TrustedIssuer& issuer, const Ask& ask, const Moment& moment,
                           const Steps& steps);
  std::shared_ptr<const KnownToken> Know(absl::string_view token, const jose::VerifiedJwt& jwt,
                                         const TrustedIssuer& issuer) const;
  void Remember(const TokenKey& key, std::shared_ptr<const KnownToken> known, absl::Time now);
  AudienceMask MaskOf(const std::vector<std::string>& audiences) const;
  // Audience, time and revocation, on every use.
  Examination Weigh(std::shared_ptr<const KnownToken> known, const Ask& ask, const Moment& moment,
                    const Steps& steps) const;

  bool IsRevoked(const KnownToken& known, const Moment& moment) const;
  // Of a token that was refused because it was revoked.
  void NoteRefused(const KnownToken& known, const Moment& moment) const;

  const std::vector<TrustedIssuer> issuers_;
  absl::flat_hash_map<std::string, const TrustedIssuer*> by_name_;  // constant after construction
  const revocation::RevocationIndex& index_;
  const Clock& clock_;
  const Options options_;
  absl::flat_hash_map<std::string, AudienceMask> audience_bits_;  // constant after construction
  TokenCache cache_;
  // An expired token that is sent again and again is not paid for each time either.
  // Apart, so that it pushes no good one out; stays until newer ones need its place,
  // and is good again should the clock be set back.
  TokenCache expired_;
  Refusals refusals_;
};

}  // namespace gatehouse::engine
