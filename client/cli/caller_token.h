#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "server/base/secret.h"

namespace gatehouse::cli {

// The token by which the server knows who calls: the first line of `file` that is not
// empty. Empty where `file` is. Warns on standard error where others than the file's
// owner may read it. INVALID_ARGUMENT, naming the file and nothing of what is in it.
absl::StatusOr<Secret> ReadCallerToken(const std::string& file);

}  // namespace gatehouse::cli
