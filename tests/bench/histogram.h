#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace gatehouse::bench {

// Counts of durations in nanoseconds, in buckets that are at most 1.6% wide
// (64 for each power of two), as HdrHistogram has them.
class Histogram {
 public:
  void Add(int64_t nanoseconds) {
    ++counts_[Bucket(static_cast<uint64_t>(nanoseconds < 0 ? 0 : nanoseconds))];
    ++total_;
  }

  int64_t total() const { return total_; }

  // The upper end of the bucket that holds the given share (0 to 1) of all; 0 if
  // there are none.
  int64_t Quantile(double share) const {
    const double wanted = share * static_cast<double>(total_);
    int64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && static_cast<double>(seen) >= wanted) return UpperEnd(i);
    }
    return 0;
  }

 private:
  static constexpr unsigned kBits = 6;
  static constexpr uint64_t kWidth = uint64_t{1} << kBits;

  static size_t Bucket(uint64_t value) {
    if (value < kWidth) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kBits - 1;
    return (shift + 1) * kWidth + (value >> shift) - kWidth;
  }
  static int64_t UpperEnd(size_t bucket) {
    if (bucket < kWidth) return static_cast<int64_t>(bucket);
    const unsigned shift = static_cast<unsigned>(bucket / kWidth) - 1;
    return static_cast<int64_t>(((bucket % kWidth + kWidth + 1) << shift) - 1);
  }

  std::array<int64_t, 64 * kWidth> counts_{};
  int64_t total_ = 0;
};

}  // namespace gatehouse::bench
