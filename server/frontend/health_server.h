#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace gatehouse::frontend {

// A port of its own with grpc.health.v1 alone, in plaintext, on one thread: for probes, whatever
// the other ports are busy with.
class HealthServer {
 public:
  // Listens when this returns, on `address` as GrpcAddress takes it; "" and `readiness` are
  // NOT_SERVING until SetServing, `liveness` is SERVING. UNAVAILABLE, naming the address, if it
  // cannot listen there.
  static absl::StatusOr<std::unique_ptr<HealthServer>> Start(const std::string& address);

  // As Shutdown without grace, if that was not called.
  virtual ~HealthServer() = default;

  // 0 for a Unix socket.
  virtual int port() const = 0;

  // As GrpcServer's.
  virtual void SetServing(const std::string& name, bool serving) = 0;
  virtual void Forget(const std::string& issuer) = 0;

  // From now on everything but `liveness` is NOT_SERVING, whatever is said later. Thread-safe.
  virtual void Drain() = 0;

  // Ends every call, those that take longer than `grace` by force, and joins the thread.
  virtual void Shutdown(absl::Duration grace) = 0;
};

}  // namespace gatehouse::frontend
