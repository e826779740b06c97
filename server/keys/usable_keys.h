#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/jose/algorithms.h"
#include "server/jose/jwks.h"

namespace gatehouse::keys {

// The keys of a JWK Set that an issuer may use, never none, and what was left out.
struct UsableKeys {
  jose::KeySet keys;
  std::vector<jose::RefusedKey> left_out;
};

// INVALID_ARGUMENT if the text is no JWK Set, or no key in it is good and of one
// of `algorithms`; then the reason says what was left out.
absl::StatusOr<UsableKeys> ReadUsableKeys(absl::string_view jwks,
                                          const std::vector<jose::Algorithm>& algorithms);

// "key "a": too short; a key without kid: unknown type", a few of them at most.
std::string Describe(const std::vector<jose::RefusedKey>& left_out);

}  // namespace gatehouse::keys
