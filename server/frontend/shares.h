#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

namespace gatehouse::frontend {

// How many things each caller has under way, and its share of them. Callers are
// numbered from 0 to below `callers`. Thread-safe.
class Shares {
 public:
  Shares(size_t callers, int per_caller) : per_caller_(per_caller), under_way_(callers) {}

  // False where `caller` has its share already; else Leave gives the place back.
  bool Enter(size_t caller) {
    if (under_way_[caller].fetch_add(1, std::memory_order_relaxed) < per_caller_) return true;
    Leave(caller);
    return false;
  }
  int Held(size_t caller) const { return under_way_[caller].load(std::memory_order_relaxed); }
  void Leave(size_t caller) { under_way_[caller].fetch_sub(1, std::memory_order_relaxed); }

 private:
  const int per_caller_;
  std::vector<std::atomic<int>> under_way_;
};

}  // namespace gatehouse::frontend
