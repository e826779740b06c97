#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/jose/jwt_verifier.h"

namespace gatehouse::policy {

// Who a verified token speaks for. Views: whoever hands one out says what they live
// as long as. Made from nothing less than a VerifiedJwt.
struct Principal {
  // Most tokens have one role: it needs no memory of its own.
  using Names = absl::InlinedVector<absl::string_view, 1>;

  absl::string_view issuer;
  absl::string_view subject;
  absl::string_view tenant;  // empty: none
  Names roles;
  Names scopes;
  absl::string_view session_id;
  absl::string_view token_id;
  absl::string_view client_id;
  absl::string_view email;
  std::optional<absl::Time> issue_time;
  absl::Time expire_time;
  // The other claims that the policy asks for, by the name or path that it uses.
  std::vector<std::pair<absl::string_view, absl::string_view>> claims = {};
  // Those of them that are there and cannot be compared, as an object.
  std::vector<absl::string_view> opaque_claims = {};

  bool IsOpaque(absl::string_view name) const {
    return std::find(opaque_claims.begin(), opaque_claims.end(), name) != opaque_claims.end();
  }

  // Empty if it is absent or cannot be compared.
  absl::string_view Claim(absl::string_view name) const {
    for (const auto& [key, value] : claims) {
      if (key == name) return value;
    }
    return {};
  }
};

// Views into `jwt`.
Principal PrincipalOf(const jose::VerifiedJwt& jwt);
Principal PrincipalOf(jose::VerifiedJwt&& jwt) = delete;

}  // namespace gatehouse::policy
