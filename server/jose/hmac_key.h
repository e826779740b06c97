#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/secret.h"
#include "server/jose/verification_key.h"

namespace gatehouse::jose {

// MakeHmacKey without its look at the secret: for the vectors of standards, whose
// secrets it refuses. Nothing but tests calls it otherwise.
absl::StatusOr<std::shared_ptr<const VerificationKey>> MakeHmacKeyOfAnyStrength(
    Secret secret, const std::vector<Algorithm>& algorithms);

}  // namespace gatehouse::jose
