#pragma once

#include <cstddef>
#include <map>

#include "server/keys/key_source.h"

namespace gatehouse::keys {

// Those who wait for a fetch, in the order in which they came, `most` of them. Not
// thread-safe: guarded by its owner's lock, outside of which the owner calls the
// waiters that it is handed, and destroys them.
class WaiterQueue {
 public:
  using Waiter = KeySource::Waiter;
  using Ticket = KeySource::Ticket;

  explicit WaiterQueue(size_t most) : most_(most) {}

  // The newcomer waits for the next fetch to begin. `evicted` is the one that has
  // waited longest, if there was no room: to be called with kFailed.
  Ticket Add(Waiter waiter, Waiter& evicted);
  // The waiter that has given its place up, to be destroyed; null if it has none.
  Waiter Take(Ticket ticket);

  // Whether somebody waits for a fetch that has not begun.
  bool AnyNew() const;
  // A fetch begins: all who are here wait for this one.
  void Begin() { newest_begun_ = newest_; }
  // The next one that the fetch which is over has answered; null when there is none.
  Waiter NextAnswered() { return NextUpTo(newest_begun_); }
  // The next one of those who came no later than `last`; null when there is none.
  Waiter NextUpTo(Ticket last);
  // The last one that came, and the last one that a fetch has begun for.
  Ticket newest() const { return newest_; }
  Ticket newest_begun() const { return newest_begun_; }

  size_t size() const { return waiting_.size(); }

 private:
  Waiter TakeFirst();

  const size_t most_;
  std::map<Ticket, Waiter> waiting_;  // tickets rise
  Ticket newest_ = KeySource::kNone;
  Ticket newest_begun_ = KeySource::kNone;
};

}  // namespace gatehouse::keys
