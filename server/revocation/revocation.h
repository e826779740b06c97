#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "absl/time/time.h"
#include "server/revocation/tag.h"

namespace gatehouse::revocation {

// `issued_until` of a fact that covers every token of its tag.
inline constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

// A revocation before it is written.
struct NewFact {
  Tag tag;
  TagKind kind = TagKind::kToken;
  std::string issuer;
  // The jti, sid or sub in clear; for kToken the identity in lower-case
  // hexadecimal, never the token.
  std::string target;
  // Refused are tokens with floor(iat) <= issued_until, in seconds since 1970;
  // kAll: every token of the tag.
  int64_t issued_until = kAll;
  // From then on it can match no token that is still good.
  absl::Time end_time = absl::InfiniteFuture();
  std::string actor;
  std::string reason;
};

// A revocation as it was committed. Never changed.
struct Fact : NewFact {
  std::string id;  // 32 hexadecimal digits
  absl::Time create_time;
  int64_t revision = 0;
};

}  // namespace gatehouse::revocation
