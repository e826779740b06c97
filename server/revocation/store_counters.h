#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace gatehouse::revocation {

// Why a store did not write.
enum class WriteError {
  kDiskFull,  // of a transaction
  kMoved,     // of a transaction: the database lies elsewhere, or is gone
  kIo,        // of a transaction: anything else
  kBusy,      // of a request: too many wait already
};
inline constexpr std::array<absl::string_view, 4> kWriteErrorNames = {"disk_full", "moved", "io",
                                                                      "busy"};

// What a store tells of itself: written by it, read by anybody. `cleaned` and the errors are
// since the start.
struct StoreCounters {
  std::atomic<int64_t> cleaned = 0;     // facts that ended and left memory
  std::atomic<int64_t> ended_kept = 0;  // facts that did, and are still listed
  std::array<std::atomic<int64_t>, kWriteErrorNames.size()> write_errors{};

  void Count(WriteError error) {
    write_errors[static_cast<size_t>(error)].fetch_add(1, std::memory_order_relaxed);
  }
};

}  // namespace gatehouse::revocation
