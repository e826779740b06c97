#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/jose/algorithms.h"
#include "server/keys/key_source.h"

namespace gatehouse::keys {

struct JwksFileOptions {
  std::string issuer;  // for the log
  std::string path;
  std::vector<jose::Algorithm> algorithms;
  absl::Duration grace = absl::Minutes(1);
};

// A JWKS file, looked at every second, and sooner when somebody waits: also one that
// is reached through symbolic links which change. Keys that are refused, or whose
// algorithm is not among `algorithms`, are left out and logged with kid and reason. A
// file that cannot be read, is no JWK Set or has no key left is an error now (NOT_FOUND
// or INVALID_ARGUMENT, naming it), and later leaves the keys in force as they are, is
// logged, and stands in State().last_error.
absl::StatusOr<std::unique_ptr<KeySource>> MakeJwksFileSource(const JwksFileOptions& options,
                                                              const Clock& clock);

// The same error, or OK, without a source.
absl::Status CheckJwksFile(const JwksFileOptions& options);

}  // namespace gatehouse::keys
