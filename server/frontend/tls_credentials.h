#pragma once

#include <grpcpp/security/server_credentials.h>

#include <functional>
#include <memory>

#include "server/base/clock.h"
#include "server/tls/material.h"

namespace gatehouse::frontend {

// What is in force now, never null. Thread-safe, and quick: each handshake asks. Either always
// has a `client_ca` or never.
using TlsSource = std::function<std::shared_ptr<const tls::Material>()>;

// TLS 1.2 or 1.3 for one port. Each handshake gets what `source` gives then; connections that are
// open stay. With `client_ca` a client must show a certificate that leads to it, which is
// verified as a client's. Sessions are resumed, without looking at the certificate again, for 10
// minutes at most, and not when there is something new.
//
// What this gives and `clock` must outlive the server that it is given to, which does not hold
// it.
std::shared_ptr<grpc::ServerCredentials> MakeTlsCredentials(TlsSource source, const Clock& clock);

}  // namespace gatehouse::frontend
