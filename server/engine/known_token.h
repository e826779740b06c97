#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "server/engine/trusted_issuer.h"
#include "server/jose/jwt_verifier.h"
#include "server/policy/principal.h"
#include "server/revocation/tag.h"

namespace gatehouse::engine {

// Which of the audiences in Authorizer::Options are meant, bit by bit.
using AudienceMask = uint64_t;
inline constexpr size_t kMaxAudiences = 64;

// A verified token, with all that an answer about it needs. Immutable but for what
// is remembered of the last look at the revocations. Whether it is good now is asked
// anew on every use: its time, its key, its tags, the asker's audiences. Lies in one
// piece of memory with all the text that it has views of.
struct KnownToken {
  jose::TokenTimes times() const {
    return {principal.expire_time, principal.issue_time, not_before};
  }
  const jose::IssuerRules& rules() const { return issuer->rules; }

  policy::Principal principal;
  // The principal as the front end sends it: opaque bytes, made once.
  absl::string_view rendered;
  revocation::TokenTags tags;
  std::array<uint8_t, 32> identity{};
  std::shared_ptr<const jose::VerificationKey> key;
  const TrustedIssuer* issuer = nullptr;  // lives as long as the authorizer
  absl::Time not_before = absl::InfinitePast();
  AudienceMask audiences = 0;  // those that its `aud` holds
  absl::string_view token;     // as it was sent
  // What it takes of the heap, the allocator's own share included.
  size_t heap_bytes = 0;
  // A revision of the index, read before the index was asked for the tags and had no
  // entry that covers the token, nor a suspension of it. While it is the index's revision
  // still, nothing was acknowledged since, and the answer stands, whatever the clock does.
  mutable std::atomic<int64_t> not_revoked_at = -1;
};

// What is kept of `jwt`, which was read from `token` and has passed `issuer`'s rules.
// `rendered` is the front end's form of its principal. Nothing of the arguments but
// the issuer and the key is held.
std::shared_ptr<const KnownToken> MakeKnownToken(
    absl::string_view token, const jose::VerifiedJwt& jwt, const TrustedIssuer& issuer,
    AudienceMask audiences, policy::Principal principal, absl::string_view rendered);

}  // namespace gatehouse::engine
