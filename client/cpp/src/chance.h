#pragma once

#include <cstdint>
#include <functional>

namespace gatehouse::client {

// A number from 0 to 1, without 1. Thread-safe.
using Chance = std::function<double()>;
Chance MakeChance();

// Between half of `time` and all of it.
inline int64_t HalfToAll(int64_t time, const Chance& chance) {
  const int64_t half = time / 2;
  return half + static_cast<int64_t>(static_cast<double>(time - half) * chance());
}

// Pauses that double from 50 ms to 2 s, each between half and all of it. For one thread.
class Backoff {
 public:
  int64_t Next(const Chance& chance) {
    const int64_t pause = pause_;
    pause_ = pause_ * 2 > kLongest ? kLongest : pause_ * 2;
    return HalfToAll(pause, chance);
  }
  void Reset() { pause_ = kShortest; }

 private:
  static constexpr int64_t kShortest = 50'000'000;
  static constexpr int64_t kLongest = 2'000'000'000;
  int64_t pause_ = kShortest;
};

}  // namespace gatehouse::client
