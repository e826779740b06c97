#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/config/config.h"

namespace gatehouse {

// Whether `next` may be put in force where a server was started with `fixed`.
// FAILED_PRECONDITION with a line for each field that needs a restart, named.
absl::Status CheckFixed(const config::Config& fixed, const config::Config& next);

// The folder of backups, whoever asks from wherever; empty without one.
std::string BackupsOf(const config::Config& config);

}  // namespace gatehouse
