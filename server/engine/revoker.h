#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/engine/authorizer.h"
#include "server/revocation/revocation.h"

namespace gatehouse::engine {

// Turns what a caller wants revoked into a fact for the store. Checks everything
// that can be checked; writes nothing. Thread-safe.
class Revoker {
 public:
  struct Note {
    std::string actor;
    std::string reason;
  };

  // `keep`: how long a fact is kept that has no end of its own. Both outlive it.
  Revoker(const Authorizer& authorizer, absl::Duration keep, const Clock& clock)
      : authorizer_(authorizer), keep_(keep), clock_(clock) {}

  absl::Duration keep() const { return keep_; }

  // A token that was examined. INVALID_ARGUMENT unless it is good, revoked, or right but
  // not good yet: that one would be good as soon as its time comes.
  absl::StatusOr<revocation::NewFact> Token(const Examination& examined, Note note) const;

  // What is revoked by its name, any kind but kToken.
  struct Target {
    revocation::TagKind kind = revocation::TagKind::kSubject;
    absl::string_view issuer = {};
    absl::string_view value = {};  // the jti, sid, sub, tenant, client or key's name
    // For kSubject, kTenant and kClient. Unset: now and the issuer's skew, the most that a
    // good iat can say.
    std::optional<absl::Time> issued_until = {};
    // A suspension until then. For every kind but kKey, and not with issued_until.
    std::optional<absl::Time> expire_time = {};
  };
  // INVALID_ARGUMENT, naming the field, for an issuer that is not trusted, an empty
  // value, one with control characters or one over 1 KiB: such a fact could refuse
  // no token, and the caller would believe it did. And for an issued_until more than 60 s
  // ahead or further back than `keep`, an expire_time that does not lie ahead, or by more
  // than ten years.
  absl::StatusOr<revocation::NewFact> Named(const Target& target, Note note) const;

  // The longest that a suspension may last from when it was made.
  static constexpr absl::Duration kLongestSuspension = absl::Hours(24 * 3660);
  // INVALID_ARGUMENT, beginning "reason: ", for one that is over 256 bytes or holds control
  // characters.
  static absl::Status CheckReason(absl::string_view reason);

 private:
  absl::Status SetIssuedUntil(const Target& target, revocation::NewFact& fact) const;

  const Authorizer& authorizer_;
  const absl::Duration keep_;
  const Clock& clock_;
};

}  // namespace gatehouse::engine
