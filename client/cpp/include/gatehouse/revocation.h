#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace gatehouse {

using WallTime = std::chrono::system_clock::time_point;

// What is revoked. `issued_until`: tokens issued up to that second; unset, all that can
// exist now.
struct TokenTarget {
  std::string token;
};
struct TokenIdTarget {
  std::string issuer;
  std::string token_id;
};
struct SessionTarget {
  std::string issuer;
  std::string session_id;
};
struct SubjectTarget {
  std::string issuer;
  std::string subject;
  std::optional<WallTime> issued_until = std::nullopt;
};
struct TenantTarget {
  std::string issuer;
  std::string tenant;
  std::optional<WallTime> issued_until = std::nullopt;
};
struct ClientTarget {
  std::string issuer;
  std::string client_id;
  std::optional<WallTime> issued_until = std::nullopt;
};
struct KeyTarget {
  std::string issuer;
  std::string key_id;
};
using RevocationTarget = std::variant<TokenTarget, TokenIdTarget, SessionTarget, SubjectTarget,
                                      TenantTarget, ClientTarget, KeyTarget>;

struct RevokeOptions {
  // For people; 256 bytes at most.
  std::string reason = {};
  // Set: a suspension, which ends then.
  std::optional<WallTime> expire_time = std::nullopt;
  // Zero: that of the settings.
  std::chrono::milliseconds deadline{0};
};

struct Revoked {
  // Of the revocation that is in force.
  std::string id;
  // What it is about: token, token_id, session, subject, tenant, client or key.
  std::string kind;
  int64_t revision = 0;
  std::string store_id;
  // It was in force already.
  bool existed = false;
  // The issuer's set holds no such key now: perhaps it is mistyped.
  bool key_not_in_set = false;
};

struct Reinstated {
  std::string id;
  int64_t revision = 0;
  std::string store_id;
  // It was taken back already.
  bool existed = false;
  // Another revocation still refuses tokens of the same target.
  bool still_revoked = false;
};

}  // namespace gatehouse
