#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/keys/key_source.h"

namespace gatehouse {

// A source of `issuer`'s keys, which has none yet where they are behind a URL. `folder`:
// of the last good copies. NOT_FOUND or INVALID_ARGUMENT, naming place and file, for a
// secret or key file that is missing or no good. `clock` outlives the source.
absl::StatusOr<std::unique_ptr<keys::KeySource>> MakeKeySource(const config::Issuer& issuer,
                                                               const std::string& folder,
                                                               const Clock& clock);

// What is wrong with the files and secrets that `issuer`'s keys come from, each with its
// place in the configuration.
std::vector<absl::Status> FindKeyFaults(const config::Issuer& issuer);

}  // namespace gatehouse
