#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/secret.h"
#include "server/jose/algorithms.h"
#include "server/keys/key_source.h"

namespace gatehouse::keys {

// Keys that do not change while the server runs.

// An HMAC secret, for HS256. INVALID_ARGUMENT if it is weak (MakeHmacKey).
absl::StatusOr<std::unique_ptr<KeySource>> MakeSecretSource(Secret secret);

// The HMAC secret in an environment variable or in a file (one line end at its end
// is not part of it; 64 KiB at most). NOT_FOUND or INVALID_ARGUMENT, naming the
// variable or the file and never what is in it.
absl::StatusOr<Secret> ReadSecretEnv(const std::string& name);
absl::StatusOr<Secret> ReadSecretFile(const std::string& path);

// A JWKS file. Keys that are refused, or whose algorithm is not among `algorithms`,
// are left out and logged with kid and reason; NOT_FOUND or INVALID_ARGUMENT,
// naming the file, if it cannot be read, is no JWK Set, or no key is left.
absl::StatusOr<std::unique_ptr<KeySource>> MakeJwksFileSource(
    const std::string& path, const std::vector<jose::Algorithm>& algorithms);

}  // namespace gatehouse::keys
