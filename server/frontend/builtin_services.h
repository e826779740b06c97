#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "grpc/health/v1/health.pb.h"
#include "server/base/mutex.h"
#include "server/frontend/reflection.h"

namespace gatehouse::frontend {

class BuiltinCall;

// grpc.health.v1 and reflection (v1 and v1alpha), and UNIMPLEMENTED for every method
// that the server does not have. They are served on the server's own completion
// queues: gRPC's implementations bring threads of their own, which poll the same
// connections and take calls away from the queues' threads.
class BuiltinServices {
 public:
  using ServingStatus = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // More are refused with RESOURCE_EXHAUSTED. Streams leave room for probes.
  static constexpr int kMaxStreams = 256;
  static constexpr int kMaxChecks = 256;

  // `served`: the file of each service that the server has besides these.
  // `in_flight` outlives this; it counts calls asked for or open, is notified when it
  // reaches zero, and no queue may
  // be shut down before.
  BuiltinServices(const std::vector<const google::protobuf::FileDescriptor*>& served,
                  std::atomic<int64_t>& in_flight);
  // The same without reflection.
  explicit BuiltinServices(std::atomic<int64_t>& in_flight);
  // Every call must have ended.
  ~BuiltinServices();

  // To be registered with the server's builder.
  grpc::AsyncGenericService& generic() { return generic_; }

  // Begins to take calls on `queue`, whose tags are all QueueEvents and which has one
  // thread. Once for each queue, when the server has started.
  void Start(grpc::ServerCompletionQueue& queue);

  // SERVING from the beginning to the end, whatever is said of it.
  static constexpr char kLiveness[] = "liveness";

  // What health says of `name`, and tells those who watch it. "" stands for `readiness` too.
  // Thread-safe. Not heard after Drain or Shutdown.
  void SetServing(const std::string& name, bool serving);
  // Nothing is known by `name` any more. As SetServing.
  void Forget(const std::string& name);

  // Says NOT_SERVING of all but `liveness` for good. Thread-safe.
  void Drain();

  // As Drain, and ends every stream: those who watch are told first.
  // One whose client does not read is cancelled after a second. Before the server's
  // own Shutdown, which waits for them.
  void Shutdown();

 private:
  friend class BuiltinCall;

  struct Health {
    // SERVICE_UNKNOWN if nothing is known by the name.
    ServingStatus status;
    bool closing;
  };

  // For calls.
  void AcceptOn(grpc::ServerCompletionQueue& queue);
  Health Look(const std::string& name) const;
  bool closing() const { return closing_.load(std::memory_order_acquire); }
  // Null without.
  const Reflection* reflection() const { return reflection_.has_value() ? &*reflection_ : nullptr; }
  // Destroys the call.
  void Ended(const BuiltinCall& call);

  // Whether that was news.
  bool Say(const std::string& name, bool serving) GH_REQUIRES(mu_);
  void StopServing() GH_REQUIRES(mu_);
  void WakeAll() GH_REQUIRES(mu_);

  const std::optional<Reflection> reflection_;
  std::atomic<int64_t>& in_flight_;
  grpc::AsyncGenericService generic_;
  std::atomic<int> streams_ = 0;
  std::atomic<int> checks_ = 0;

  mutable Mutex mu_;
  // Written under mu_, read by calls that hold a lock which is taken under mu_.
  std::atomic<bool> closing_ = false;
  bool draining_ GH_GUARDED_BY(mu_) = false;
  std::map<std::string, bool> serving_ GH_GUARDED_BY(mu_) = {{kLiveness, true}};
  std::map<const BuiltinCall*, std::unique_ptr<BuiltinCall>> calls_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse::frontend
