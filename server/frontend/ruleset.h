#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/edge/gate.h"
#include "server/engine/authorizer.h"
#include "server/engine/revoker.h"
#include "server/frontend/callers.h"
#include "server/policy/policy.h"

namespace gatehouse::frontend {

class DecisionLog;
class Shadow;

// All that a call is answered by and that a reload may change. A call keeps the one that
// it began with until it has ended, so that no answer mixes two of them. Immutable once
// made; what it points to is thread-safe. Rulesets may share what has not changed.
struct Ruleset {
  CallerTable callers;
  std::shared_ptr<engine::Authorizer> authorizer;
  std::shared_ptr<const policy::Policy> policy;    // for the authorizer's issuers
  engine::Revoker revoker;                         // of `authorizer`
  std::shared_ptr<const edge::Gate> gate = {};     // what proxies ask; never null in force
  std::shared_ptr<DecisionLog> decision_log = {};  // null: decisions are not written down
  std::shared_ptr<Shadow> shadow = {};             // null: no other policy is tried
  // A hash of all of it, the same on every replica. Empty where none was made.
  std::string rules = {};
  // How long answers may be remembered by those who watch.
  absl::Duration remember_for = absl::ZeroDuration();
};

// The ruleset in force. Thread-safe.
//
// One that was replaced is destroyed by Replace, FreeRetired or the destructor, and
// never by whoever lets go of it last: that joins the threads of key sources.
class Rulesets {
 public:
  // What a serving thread asks for each call, without a lock or anything shared until
  // there is another ruleset. Holds the one that it gave last until it is asked again.
  // For one thread; what it gives may be let go on any.
  class Reader {
   public:
    // `rulesets` outlives it, and what it gave.
    explicit Reader(const Rulesets& rulesets) : rulesets_(rulesets) {}

    const std::shared_ptr<const Ruleset>& Current() {
      if (rulesets_.version_.load(std::memory_order_acquire) != version_) Refresh();
      return current_;
    }

   private:
    void Refresh();

    const Rulesets& rulesets_;
    uint64_t version_ = 0;
    // Counts this thread's holders alone: a count that all threads share would be
    // written by each call of each of them.
    std::shared_ptr<const Ruleset> current_;
  };

  explicit Rulesets(std::shared_ptr<const Ruleset> first) : current_(std::move(first)) {}

  // For those who ask now and then.
  std::shared_ptr<const Ruleset> Current() const GH_EXCLUDES(mu_);

  // Calls that begin after it returns are answered by `next`.
  void Replace(std::shared_ptr<const Ruleset> next) GH_EXCLUDES(mu_);

  // Destroys replaced ones that nobody holds any more; may wait for key sources to end
  // their fetches. Gives back how many are left.
  size_t FreeRetired() GH_EXCLUDES(mu_);

 private:
  mutable Mutex mu_;
  std::atomic<uint64_t> version_ = 1;  // written under mu_
  std::shared_ptr<const Ruleset> current_ GH_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<const Ruleset>> retired_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse::frontend
