#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "server/jose/jwt_verifier.h"
#include "server/policy/principal.h"
#include "server/revocation/tag.h"

namespace gatehouse::engine {

// A verified token, with all that an answer about it needs. Immutable. Whether it
// is good now is asked anew on every use: its time, its key, its tags.
struct KnownToken {
  jose::TokenTimes times;
  policy::Principal principal;
  // The principal as the front end sends it: opaque bytes, made once.
  std::string rendered;
  revocation::TokenTags tags;
  std::array<uint8_t, 32> identity{};
  std::shared_ptr<const jose::VerificationKey> key;
  const jose::IssuerRules* rules = nullptr;  // lives as long as the authorizer
};

}  // namespace gatehouse::engine
