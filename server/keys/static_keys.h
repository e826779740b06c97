#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/secret.h"
#include "server/jose/algorithms.h"
#include "server/keys/key_source.h"

namespace gatehouse::keys {

// Secrets: keys that do not change while the server runs.

using SecretKey = std::shared_ptr<const jose::VerificationKey>;

// An HMAC key for `algorithms`, each of them one of HS256, HS384, HS512.
// INVALID_ARGUMENT if the secret is weak for one of them (jose::MakeHmacKey).
absl::StatusOr<SecretKey> MakeSecretKey(Secret secret,
                                        const std::vector<jose::Algorithm>& algorithms);

// The current secret and, if not null, the one before the last change: a token is tried
// on both, in this order. INVALID_ARGUMENT if they are equal.
absl::StatusOr<std::unique_ptr<KeySource>> MakeSecretSource(SecretKey current, SecretKey previous);

// The HMAC secret in an environment variable or in a file (one line end at its end
// is not part of it; 64 KiB at most). NOT_FOUND or INVALID_ARGUMENT, naming the
// variable or the file and never what is in it.
absl::StatusOr<Secret> ReadSecretEnv(const std::string& name);
absl::StatusOr<Secret> ReadSecretFile(const std::string& path);

}  // namespace gatehouse::keys
