#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "server/base/secret.h"
#include "server/jose/openssl.h"

namespace gatehouse::tls {

// The one private key in a PEM file. NOT_FOUND or INVALID_ARGUMENT with "path:line: what is
// wrong", and nothing of the file: no key, or several, an encrypted or a weak one, or a file
// that others than its owner and group may read.
absl::StatusOr<jose::EvpPkey> ReadPrivateKey(const std::string& path);

// As PKCS #8 in PEM; empty if that fails.
Secret ToPem(EVP_PKEY* key);

}  // namespace gatehouse::tls
