#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/jose/jwt_verifier.h"

namespace gatehouse::policy {

// Who a verified token speaks for. Made from nothing less than a VerifiedJwt.
struct Principal {
  std::string issuer;
  std::string subject;
  std::string tenant;  // empty: none
  std::vector<std::string> roles;
  std::vector<std::string> scopes;
  std::string session_id;
  std::string token_id;
  std::string client_id;
  std::string email;
  std::optional<absl::Time> issue_time;
  absl::Time expire_time;
  // The other claims that the policy asks for, by the name or path that it uses.
  std::vector<std::pair<std::string, std::string>> claims = {};

  // Empty if it is absent.
  absl::string_view Claim(absl::string_view name) const {
    for (const auto& [key, value] : claims) {
      if (key == name) return value;
    }
    return {};
  }
};

Principal PrincipalOf(const jose::VerifiedJwt& jwt);

}  // namespace gatehouse::policy
