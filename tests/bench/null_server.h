#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

namespace gatehouse::bench {

// A server that parses a request, sends a reply and does nothing else: the
// least that a server on this gRPC can cost.
class NullServer {
 public:
  virtual ~NullServer() = default;
  // Once, before the server is built.
  virtual void Register(grpc::ServerBuilder& builder) = 0;
  // Once, when the server is built.
  virtual void Start() = 0;
  // Once, after the server was shut down: returns when every call has ended.
  virtual void Join() = 0;
};

// One completion queue a thread, and `outstanding` requests asked for on each for
// each method. Call objects are used again.
std::unique_ptr<NullServer> MakeCompletionQueueServer(int threads, int outstanding);

// gRPC's own threads, as many as it thinks best. Messages are used again.
std::unique_ptr<NullServer> MakeCallbackServer();

}  // namespace gatehouse::bench
