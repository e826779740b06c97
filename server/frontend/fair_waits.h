#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "server/base/mutex.h"

namespace gatehouse::frontend {

// Those who wait for an issuer's keys, so that one caller's forged tokens do not take
// all places of the source. Where a caller has its share, the one of it that has
// waited longest gives up for each new one, so that its own flood keeps a good token
// of its own no longer out than the next fetch takes. Thread-safe.
class FairWaits {
 public:
  // Tells a waiter to wait no longer. Called once at most, without a lock held, and
  // perhaps while Leave runs elsewhere.
  using GiveUp = std::function<void()>;
  using Ticket = uint64_t;

  FairWaits(size_t callers, size_t per_caller) : per_caller_(per_caller), waiting_(callers) {}

  Ticket Enter(size_t caller, GiveUp give_up);
  // Does nothing for one that was told to give up.
  void Leave(size_t caller, Ticket ticket);

 private:
  const size_t per_caller_;
  Mutex mu_;
  Ticket next_ GH_GUARDED_BY(mu_) = 1;
  // By caller, and by age.
  std::vector<std::map<Ticket, GiveUp>> waiting_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse::frontend
