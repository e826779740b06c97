#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "client/cpp/src/clock.h"
#include "client/cpp/src/question_key.h"
#include "client/cpp/src/wire.h"
#include "server/base/mutex.h"

namespace gatehouse::client {

using ReplyDone = std::function<void(const Reply&)>;

// Somebody who waits for an answer, until his own deadline.
struct Waiter {
  Waiter(int64_t until, ReplyDone then) : deadline(until), done(std::move(then)) {}

  const int64_t deadline;
  // Once.
  void Tell(const Reply& reply) {
    if (!told_.exchange(true)) done(reply);
  }

 private:
  const ReplyDone done;
  std::atomic<bool> told_{false};
};
using WaiterPtr = std::shared_ptr<Waiter>;

// A question that is under way, and who waits for it.
struct Flight {
  Flight(const QuestionView& view, uint64_t hash_of, uint64_t generation_then, int64_t now,
         int64_t until)
      : question(view), hash(hash_of), generation(generation_then), sent(now), deadline(until) {}

  const Question question;
  const uint64_t hash;
  // Of the View, from before it was sent.
  const uint64_t generation;
  const int64_t sent;
  const int64_t deadline;
  // Under the lock of Flights, if it is among them.
  std::vector<WaiterPtr> waiters;
};
using FlightPtr = std::shared_ptr<Flight>;

// Questions that are under way and may be shared. Thread-safe.
class Flights {
 public:
  // Joins `waiter` to the flight with this question, unless that was sent before
  // `generation`, or not after `stale`: without a stream no change is known of. If there is none
  // `begin` may make one, which is then found by others; it runs under the lock. nullptr: `begin`
  // made none.
  struct Joined {
    FlightPtr flight;
    bool began = false;
  };
  Joined Join(const QuestionView& question, uint64_t hash, uint64_t generation, int64_t stale,
              const WaiterPtr& waiter, const std::function<FlightPtr()>& begin) GH_EXCLUDES(mu_);
  // Nobody joins it any more. Returns who waits for it.
  std::vector<WaiterPtr> Land(const FlightPtr& flight) GH_EXCLUDES(mu_);

 private:
  Mutex mu_;
  std::unordered_multimap<uint64_t, FlightPtr> flights_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse::client
