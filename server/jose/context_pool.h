#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

namespace gatehouse::jose {

// Spare OpenSSL contexts of one key. Making one looks up its algorithm and costs
// microseconds; taking one from here costs one atomic exchange and waits for
// nobody. Thread-safe.
template <typename Owner>  // a unique_ptr
class ContextPool {
 public:
  using Context = typename Owner::element_type;

  ContextPool() = default;
  ~ContextPool() {
    for (std::atomic<Context*>& slot : slots_) Owner(slot.load(std::memory_order_acquire));
  }
  ContextPool(const ContextPool&) = delete;
  ContextPool& operator=(const ContextPool&) = delete;

  // Null if there is none to spare.
  Owner Take() const {
    for (size_t i = 0; i < kSlots; ++i) {
      std::atomic<Context*>& slot = SlotOf(i);
      if (slot.load(std::memory_order_relaxed) == nullptr) continue;
      Owner context(slot.exchange(nullptr, std::memory_order_acq_rel));
      if (context != nullptr) return context;
    }
    return nullptr;
  }

  // Only a context that is as good as new.
  void Put(Owner context) const {
    for (size_t i = 0; i < kSlots && context != nullptr; ++i) {
      Context* expected = nullptr;
      if (SlotOf(i).compare_exchange_strong(expected, context.get(), std::memory_order_acq_rel)) {
        static_cast<void>(context.release());
      }
    }
  }

 private:
  static constexpr size_t kSlots = 16;

  // Each thread begins at its own slot.
  std::atomic<Context*>& SlotOf(size_t i) const {
    static std::atomic<size_t> threads = 0;
    thread_local const size_t first = threads.fetch_add(1, std::memory_order_relaxed);
    return slots_[(first + i) % kSlots];
  }

  mutable std::array<std::atomic<Context*>, kSlots> slots_{};
};

}  // namespace gatehouse::jose
