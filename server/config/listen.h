#pragma once

#include <string>

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/config.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// `nginx`, `traefik` or `caddy`.
absl::string_view NameOf(ForwardAuth::Dialect dialect);

// `listen`. Only `health`, and `http` without `oauth`, may lie off loopback without more: they
// show health and figures. What takes tokens needs callers, and there TLS or a mesh that encrypts,
// `grpc` also no issuer for development; each that is amiss is a mistake of its own. `out.callers`
// has been read. `folder`: relative paths begin there.
void ReadListen(const v1::Config& in, const std::string& folder, Config& out, Findings& findings);

}  // namespace gatehouse::config
