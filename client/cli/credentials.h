#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/status/statusor.h"
#include "client/cli/commands.h"

namespace gatehouse::cli {

// How calls are encrypted, and who calls by a certificate: plaintext without --ca-file.
// INVALID_ARGUMENT or NOT_FOUND, naming the file and what is wrong, and nothing of a key.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(const TlsOptions& tls);

}  // namespace gatehouse::cli
