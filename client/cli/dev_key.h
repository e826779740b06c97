#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/jose/sign.h"

namespace gatehouse::cli {

// The private key that a development issuer's tokens are signed with. Errors name
// the file and hold nothing of it.
absl::StatusOr<jose::SigningKey> LoadKey(const std::string& private_path);

// Makes a key: the private one in `private_path`, which only its owner may read, and
// its JWK Set in `jwks_path`. ALREADY_EXISTS, and nothing is changed, if there is
// anything under either name.
absl::Status CreateKey(const std::string& private_path, const std::string& jwks_path);

}  // namespace gatehouse::cli
