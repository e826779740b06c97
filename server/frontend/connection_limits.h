#pragma once

#include <grpcpp/grpcpp.h>

#include "server/config/config.h"

namespace gatehouse::frontend {

// What one connection may take and how long it lives, for a server that is about to be built.
void SetConnectionLimits(grpc::ServerBuilder& builder, const config::Connections& connections);

}  // namespace gatehouse::frontend
