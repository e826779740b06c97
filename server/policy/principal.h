#pragma once

#include <optional>
#include <string>
#include <vector>

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
};

Principal PrincipalOf(const jose::VerifiedJwt& jwt);

}  // namespace gatehouse::policy
