#pragma once

#include <memory>

#include "server/jose/jwt_verifier.h"
#include "server/keys/key_source.h"

namespace gatehouse::engine {

// An issuer whose tokens are accepted, and where its keys come from.
struct TrustedIssuer {
  jose::IssuerRules rules;
  std::unique_ptr<keys::KeySource> keys;
};

}  // namespace gatehouse::engine
