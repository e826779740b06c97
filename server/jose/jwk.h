#pragma once

#include "server/jose/json.h"
#include "server/jose/public_keys.h"

namespace gatehouse::jose {

// The key that one JWK of an issuer's set describes (RFC 7517 section 4), under the
// rules of ParseJwks. INVALID_ARGUMENT with a reason that holds no key material.
KeyOrError ReadJwk(const JsonObject& jwk);

// For messages: the JWK's kid, cut to 256 bytes; empty without one.
std::string KidForMessages(const JsonObject& jwk);

}  // namespace gatehouse::jose
