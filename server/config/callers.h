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

}  // namespace gatehouse::config
