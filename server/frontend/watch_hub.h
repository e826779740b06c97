#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/frontend/queue_event.h"
#include "server/frontend/ruleset.h"
#include "server/frontend/unary_call.h"
#include "server/frontend/watch_call.h"
#include "server/frontend/watcher.h"
#include "server/frontend/watchers.h"
#include "server/revocation/change_feed.h"

namespace gatehouse::frontend {

class AuthorizationService;

// All streams of Watch on one queue. One alarm wakes it, for news, which come once however
// many they are, and else twice a second; it then looks after its watchers one by one,
// a few at a time, and for a third of its thread's time at most.
class WatchHub final : public QueueEvent, public revocation::ChangeFeed::Follower {
 public:
  // Asks gRPC for the next stream.
  using Accept = std::function<void(grpc::ServerContext*, WatchCall::Stream*,
                                    grpc::ServerCompletionQueue*, void* tag)>;

  // All outlive the hub. `in_flight` counts what must come back before the queue may be shut
  // down, and is notified when it reaches zero.
  WatchHub(Worker& worker, AuthorizationService& service, Watchers& watchers, WatchMetrics& metrics,
           const Clock& clock, std::atomic<int64_t>& in_flight, Accept accept);
  ~WatchHub() override;

  // Begins to take streams.
  void Start();
  // From any thread: ends every stream, for good. One whose client takes nothing, not even
  // that, is cancelled after a second. Before the server's own Shutdown, which waits for them.
  void Shutdown() GH_EXCLUDES(mu_);

  // From any thread.
  void OnNews() override GH_EXCLUDES(mu_);

  // The alarm.
  void OnEvent(bool ok) override GH_EXCLUDES(mu_);

  // A batch with its changes serialized, for all who stand where it begins.
  struct Ready {
    revocation::ChangeFeed::Cursor from;
    uint64_t version = 0;
    revocation::ChangeFeed::Batch batch;
    grpc::Slice changes;
  };

  // For calls, on the queue's thread.
  void AcceptOne();
  void Request(grpc::ServerContext& context, WatchCall::Stream& stream, void* tag);
  // Takes a place for the caller, if there is one for it; `entered` then.
  grpc::Status Enter(grpc::ServerContext& context, size_t& caller, bool& entered);
  void Leave(size_t caller);
  int64_t Now() const { return clock_.SteadyNanos(); }
  revocation::ChangeFeed& feed() const { return feed_; }
  const std::string& store_id() const;
  Watcher::News News();
  // Valid until the next call.
  const Ready& Read(const revocation::ChangeFeed::Cursor& from, uint64_t version);
  grpc::ByteBuffer Encode(const Ready& ready, const Watcher::Message& message,
                          absl::string_view rules) const;
  void Count(const revocation::ChangeFeed::Batch& batch, bool fell_behind);
  void CountSlow();
  void CountEnd(size_t caller, bool known, grpc::StatusCode status);
  // Destroys the call.
  void Ended(const WatchCall& call);

 private:
  // Looks after the next few; whether all have had their turn.
  bool LookAfterSome();
  // Those whose caller has gone, or has lost the right, since the rules last changed.
  void LookAtRules();
  void Leave();
  void SetAlarm(int64_t wait_nanos) GH_REQUIRES(mu_);
  void Land();

  Worker& worker_;
  AuthorizationService& service_;
  revocation::ChangeFeed& feed_;
  Watchers& watchers_;
  WatchMetrics& metrics_;
  const Clock& clock_;
  std::atomic<int64_t>& in_flight_;
  const Accept accept_;

  // For the queue's thread. A call that has ended leaves a gap until the next round.
  std::vector<std::unique_ptr<WatchCall>> calls_;
  size_t gaps_ = 0;
  size_t next_ = 0;
  bool in_round_ = false;
  int64_t round_nanos_ = 0;
  // When the next round may begin, on the machine's clock.
  int64_t next_round_at_ = 0;
  bool leaving_ = false;
  std::shared_ptr<const Ruleset> rules_;
  Ready ready_;

  Mutex mu_;
  grpc::Alarm alarm_ GH_GUARDED_BY(mu_);
  // The alarm is set to when there would be something to do without news.
  bool idle_ GH_GUARDED_BY(mu_) = false;
  bool news_ GH_GUARDED_BY(mu_) = false;
  bool closing_ GH_GUARDED_BY(mu_) = false;
};

}  // namespace gatehouse::frontend
