#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/frontend/socket_file.h"

namespace gatehouse::frontend {

// Where one gRPC server listens: a port, or a Unix socket. One thread at a time.
class GrpcAddress {
 public:
  // `text`: "127.0.0.1:7070", port 0 for any free one, or "unix:/path". UNAVAILABLE, naming
  // it, if it cannot be had.
  static absl::StatusOr<std::unique_ptr<GrpcAddress>> Take(const std::string& text);

  // May be called once.
  void AddTo(grpc::ServerBuilder& builder,
             const std::shared_ptr<grpc::ServerCredentials>& credentials);

  // Whether `server`, which may be null, listens there; from now on a socket is found, too.
  // UNAVAILABLE, naming it, if not: then `server` is of no use.
  absl::Status Open(const grpc::Server* server);

  // A socket is not found any more. When the server is to take no more connections, and before it
  // closes. Idempotent.
  void Close();

  // 0 for a socket.
  int port() const { return socket_.has_value() ? 0 : port_; }

 private:
  explicit GrpcAddress(const std::string& text) : text_(text) {}

  const std::string text_;
  std::optional<SocketFile> socket_;
  int port_ = 0;
};

// For a server that was not started, or failed to: what lies in its queue goes.
void EndQueue(grpc::ServerCompletionQueue& queue);

}  // namespace gatehouse::frontend
