#pragma once

#include <vector>

#include "absl/status/status.h"
#include "server/jose/json.h"
#include "server/jose/jwt_verifier.h"

// Reads a claims set (RFC 7519 section 4.1) into a Claims value. Errors are
// INVALID_ARGUMENT and name the claim, never its value.
namespace gatehouse::jose {

// What every token must hold to, whoever issued it: iss, sub, aud, exp, iat, nbf,
// jti, email, cnf.
absl::Status ReadRegisteredClaims(const JsonObject& object, Claims& claims);

// Fills `claims.more` and `claims.opaque`. `paths` outlive the claims.
void ReadMoreClaims(const JsonObject& object, const std::vector<ClaimPath>& paths, Claims& claims);

// The claims that the issuer's configuration names.
absl::Status ReadNamedClaims(const JsonObject& object, const ClaimNames& names, Claims& claims);

// Leaves out the roles and scopes that the issuer may not assert; an error if it may not
// speak for the tenant.
absl::Status KeepAsserted(const MayAssert& may, Claims& claims);

// Whether each of `required` is there, neither null nor "".
absl::Status CheckRequiredClaims(const JsonObject& object, const std::vector<ClaimPath>& required);

}  // namespace gatehouse::jose
