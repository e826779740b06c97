#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "client/cpp/src/calls.h"
#include "client/cpp/src/chance.h"
#include "client/cpp/src/clock.h"
#include "client/cpp/src/flights.h"
#include "client/cpp/src/memory.h"
#include "client/cpp/src/stream.h"
#include "client/cpp/src/transport.h"
#include "client/cpp/src/view.h"
#include "client/cpp/src/watched.h"
#include "gatehouse/client.h"

namespace gatehouse::client {

// A whole client, over a clock and a transport that tests may replace. Thread-safe.
class Core {
 public:
  Core(Settings settings, std::unique_ptr<Clock> clock, std::unique_ptr<Transport> transport,
       Chance chance);

  // Before anything else.
  void Start();
  // Ends everything that is under way. Nothing that was handed in runs afterwards.
  void Close();

  // The answer that is remembered; false where none counts now.
  bool Recall(const QuestionView& question, const CallOptions& options, Answer& answer);
  // Asks, and does not look at the memory first.
  void Ask(const QuestionView& question, const CallOptions& options, ReplyDone done);
  void AskBatch(std::string_view token, const std::vector<Check>& checks,
                const CallOptions& options, std::function<void(BatchAnswer)> done);

  void Revoke(const RevocationTarget& target, const RevokeOptions& options,
              std::function<void(Result<Revoked>)> done);
  void Reinstate(std::string_view id, std::string_view reason,
                 std::function<void(Result<Reinstated>)> done);

  std::shared_ptr<Watched> Watch(std::string_view token, std::function<void(Answer)> callback);
  bool WaitUntilLive(std::chrono::milliseconds timeout);
  Figures figures() const;

 private:
  bool Remembers(const CallOptions& options) const {
    return settings_.memory_entries > 0 && !options.fresh && !options.explain &&
           !options.with_claims;
  }
  int64_t DeadlineOf(std::chrono::milliseconds given) const;
  void AskUntil(const QuestionView& question, const CallOptions& options, int64_t deadline,
                ReplyDone done);
  void Share(const QuestionView& question, const CallOptions& options, int64_t deadline,
             ReplyDone done);
  void Send(const FlightPtr& flight, const Extras& extras, std::function<void(const Reply&)> done);
  void Keep(const Flight& flight, const Reply& reply);
  void Land(const FlightPtr& flight, const Reply& reply);

  const Settings settings_;
  const std::unique_ptr<Clock> clock_;
  const std::unique_ptr<Transport> transport_;
  const Chance chance_;
  const int64_t began_;
  Memory memory_;
  View view_;
  Calls calls_;
  Flights flights_;
  std::shared_ptr<WatchedTokens> watched_;
  std::shared_ptr<WatchLoop> loop_;
  std::atomic<uint64_t> shared_{0};
  // Questions that the memory was not asked for, because it may not be used.
  std::atomic<uint64_t> unusable_{0};
};

}  // namespace gatehouse::client
