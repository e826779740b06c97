#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/revocation/marks.h"
#include "server/revocation/tag.h"

namespace gatehouse::revocation {

// `issued_until` of a fact that covers every token of its tag.
inline constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

// A revocation before it is written.
struct NewFact {
  Tag tag = {};
  TagKind kind = TagKind::kToken;
  std::string issuer = {};
  // The jti, sid, sub, tenant, client or key in clear; for kToken the identity in
  // lower-case hexadecimal, never the token.
  std::string target = {};
  // Refused are tokens with floor(iat) <= issued_until, in seconds since 1970;
  // kAll: every token of the tag.
  int64_t issued_until = kAll;
  // Covers every token (issued_until is kAll) until end_time by the clock, and none
  // from then on. Any other fact refuses until it is cleaned up.
  bool suspends = false;
  // From then on it can match no token that is still good, or a suspension is over.
  absl::Time end_time = absl::InfiniteFuture();
  std::string actor = {};
  std::string reason = {};
};

// A fact that takes another one back.
struct Reinstatement {
  std::string id = {};  // 32 hexadecimal digits
  absl::Time create_time = {};
  int64_t revision = 0;
  std::string actor = {};
  std::string reason = {};
};

// A revocation as it was committed. Never changed; what took it back is told with it.
struct Fact : NewFact {
  std::string id = {};  // 32 hexadecimal digits
  absl::Time create_time = {};
  int64_t revision = 0;
  std::optional<Reinstatement> reinstated = {};
};

// What one fact puts in force on its tag. Times are rounded so that it refuses rather
// more than less.
Marks MarksOf(const NewFact& fact);

// One revision, for those who remember answers: what they know of tokens with this tag
// no longer counts.
struct Change {
  int64_t revision = 0;
  Tag tag = {};
  bool reinstates = false;
};

}  // namespace gatehouse::revocation
