#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/config/config.h"

namespace gatehouse::config {

// "host:port", an IPv6 address in brackets; any host. INVALID_ARGUMENT saying what
// is wrong, without the text.
absl::StatusOr<Endpoint> ParseEndpoint(absl::string_view text);

// The same, or "unix:/path/to/socket" with an absolute path of 98 bytes at most.
absl::StatusOr<Endpoint> ParseSocketEndpoint(absl::string_view text);

}  // namespace gatehouse::config
