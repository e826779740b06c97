#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "server/base/mutex.h"

namespace gatehouse::frontend {

// Those who wait for issuers' keys, so that forged tokens do not take all places. One
// caller may have them all as long as nobody else wants any. When they are taken, for
// each new one the one that has waited longest gives up, of the caller and source that
// have most: so a flood moves itself, and neither other callers nor the same caller's
// tokens of another issuer. Thread-safe.
class FairWaits {
 public:
  // Tells a waiter to wait no longer. Called once at most, without a lock held, and
  // perhaps while Leave runs elsewhere.
  using GiveUp = std::function<void()>;
  using Ticket = uint64_t;
  // The caller's number, and what it waits for, which is only compared.
  using Group = std::pair<size_t, const void*>;

  // `places`: 1 at least.
  explicit FairWaits(size_t places) : places_(places) {}

  Ticket Enter(Group group, GiveUp give_up);
  // Does nothing for one that was told to give up.
  void Leave(Group group, Ticket ticket);

 private:
  // By age.
  using Waiting = std::map<Ticket, GiveUp>;

  // Whose oldest makes room for one of `group`, which has no advantage over its equals.
  std::map<Group, Waiting>::iterator Fullest(Group group) GH_REQUIRES(mu_);

  const size_t places_;
  Mutex mu_;
  Ticket next_ GH_GUARDED_BY(mu_) = 1;
  size_t taken_ GH_GUARDED_BY(mu_) = 0;
  // Groups without any are left out.
  std::map<Group, Waiting> groups_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse::frontend
