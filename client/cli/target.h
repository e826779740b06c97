#pragma once

#include "absl/strings/string_view.h"

namespace gatehouse::cli {

// Whether every address of a gRPC target is on this machine: unix sockets, and
// localhost, 127.0.0.0/8 or [::1] as host[:port], dns:, ipv4: or ipv6:. False for
// whatever is not understood.
bool IsOnThisMachine(absl::string_view target);

}  // namespace gatehouse::cli
