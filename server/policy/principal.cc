#include "server/policy/principal.h"

namespace gatehouse::policy {

Principal PrincipalOf(const jose::VerifiedJwt& jwt) {
  const jose::Claims& claims = jwt.claims();
  return Principal{
      .issuer = claims.issuer,
      .subject = claims.subject,
      .tenant = claims.tenant,
      .roles = Principal::Names(claims.roles.begin(), claims.roles.end()),
      .scopes = Principal::Names(claims.scopes.begin(), claims.scopes.end()),
      .session_id = claims.session_id,
      .token_id = claims.token_id,
      .client_id = claims.client_id,
      .email = claims.email,
      .issue_time = claims.issue_time,
      .expire_time = claims.expire_time,
      .claims = {claims.more.begin(), claims.more.end()},
      .opaque_claims = claims.opaque,
  };
}

}  // namespace gatehouse::policy
