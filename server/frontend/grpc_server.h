#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/config/config.h"
#include "server/frontend/authorization_service.h"
#include "server/frontend/metrics.h"

namespace gatehouse::frontend {

struct GrpcOptions {
  std::string address;  // as GrpcAddress takes it
  int threads = 1;
  // Required: nothing is plaintext by mistake.
  std::shared_ptr<grpc::ServerCredentials> credentials = {};
  bool encrypted = false;  // whether these are TLS's
  config::Connections connections = {};
};

// The gRPC port: AuthorizationService and Envoy's Authorization on completion queues, one
// thread each, beside grpc.health.v1 and reflection.
class GrpcServer {
 public:
  // Listens when this returns; everything is NOT_SERVING until SetServing.
  // UNAVAILABLE, naming the address, if it cannot listen there. `service`,
  // `metrics` and `clock` outlive the server.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const GrpcOptions& options,
                                                           AuthorizationService& service,
                                                           Metrics& metrics, const Clock& clock);

  virtual ~GrpcServer() = default;

  // 0 for a Unix socket.
  virtual int port() const = 0;

  // What grpc.health.v1 says of a name. "" stands for the whole, as do `readiness`,
  // gatehouse.v1.AuthorizationService and envoy.service.auth.v3.Authorization; an issuer's name for
  // that issuer. Thread-safe.
  virtual void SetServing(const std::string& name, bool serving) = 0;
  // There is no such issuer any more. Thread-safe.
  virtual void Forget(const std::string& issuer) = 0;

  // There is another ruleset: each serving thread lets go of the one before, soon and also
  // when no call comes to it. Thread-safe. Not after Shutdown.
  virtual void Refresh() = 0;

  // Says NOT_SERVING, takes no new calls, lets those in flight end within `grace`,
  // cancels the rest, and joins all threads. Must be called once, before destruction. The store
  // and the key sources must still be alive.
  virtual void Shutdown(absl::Duration grace) = 0;
};

}  // namespace gatehouse::frontend
