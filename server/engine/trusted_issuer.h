#pragma once

#include <memory>

#include "server/jose/jwt_verifier.h"
#include "server/keys/key_source.h"

namespace gatehouse::engine {

// An issuer whose tokens are accepted, and where its keys come from. Several
// authorizers may share the source: see frontend::Ruleset for who ends it.
struct TrustedIssuer {
  jose::IssuerRules rules;
  std::shared_ptr<keys::KeySource> keys;
};

}  // namespace gatehouse::engine
