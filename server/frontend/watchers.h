#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "server/frontend/caller_numbers.h"
#include "server/frontend/shares.h"

namespace gatehouse::frontend {

// The places of those who watch, on all threads. Thread-safe.
class Watchers {
 public:
  static constexpr int kMax = 2000;
  static constexpr int kMaxOfACaller = 1200;
  // Of all places, those that are kept for callers who have few: so that no two callers can
  // leave a third without one.
  static constexpr int kReserve = 64;
  static constexpr int kFew = 16;

  // False where there is no place for `caller`; else Leave gives it back.
  bool Enter(size_t caller) {
    if (!of_callers_.Enter(caller)) return false;
    const int places = of_callers_.Held(caller) <= kFew ? kMax : kMax - kReserve;
    if (all_.fetch_add(1, std::memory_order_relaxed) < places) return true;
    Leave(caller);
    return false;
  }
  void Leave(size_t caller) {
    all_.fetch_sub(1, std::memory_order_relaxed);
    of_callers_.Leave(caller);
  }

 private:
  Shares of_callers_{CallerNumbers::kCapacity, kMaxOfACaller};
  std::atomic<int> all_ = 0;
};

}  // namespace gatehouse::frontend
