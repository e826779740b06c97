#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gatehouse/config/v1/config.pb.h"
#include "server/config/audiences.h"
#include "server/config/config.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// As `may` has it: verify, authorize, filter, check, watch, explain, revoke, reinstate, list,
// introspect, admin.
absl::string_view NameOf(Right right);
std::optional<Right> RightFromName(absl::string_view name);

// The callers of `in`. What is wrong goes to `findings`, and then the value is of no use. Token
// files are not looked at. `folder`: relative paths begin there.
std::vector<Caller> ReadCallers(const v1::Config& in, const std::string& folder,
                                Audiences& audiences, Findings& findings);

// `listen`. Only `http` may lie off loopback without more: it shows health and figures.
// For `grpc` that takes callers, a mesh that encrypts, and no issuer for development;
// each that is amiss is a mistake of its own.
void ReadListen(const v1::Config& in, Config& out, Findings& findings);

}  // namespace gatehouse::config
