#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/jose/algorithms.h"
#include "server/jose/jwks.h"

namespace gatehouse::keys {

// The keys of a JWK Set that an issuer may use, perhaps none, and what was left out.
struct UsableKeys {
  jose::KeySet keys;
  std::vector<jose::RefusedKey> left_out;
};

// The keys that are good and of one of `algorithms`. INVALID_ARGUMENT if the text is
// no JWK Set.
absl::StatusOr<UsableKeys> ReadUsableKeys(absl::string_view jwks,
                                          const std::vector<jose::Algorithm>& algorithms);

// Why `usable` is without keys: "holds no key that can be used: key "a": too short".
std::string WhyNone(const UsableKeys& usable);

// "key "a": too short; a key without kid: unknown type", a few of them at most.
std::string Describe(const std::vector<jose::RefusedKey>& left_out);

}  // namespace gatehouse::keys
