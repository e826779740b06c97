#pragma once

#include <string>

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/config.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// `listen.tls` and `listen.forwarded_client_cert`, and whether callers can be known by what they
// name under `spiffe_ids` and `dns_names`. `out.grpc` and `out.callers` have been read. Files
// are not looked at. `folder`: relative paths begin there.
void ReadTls(const v1::Config& in, const std::string& folder, Config& out, Findings& findings);

}  // namespace gatehouse::config
