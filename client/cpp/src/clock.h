#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace gatehouse::client {

constexpr int64_t kMillisecond = 1'000'000;
constexpr int64_t kSecond = 1'000'000'000;

// Time, and what is to be done when it comes. Tests have one of their own. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Nanoseconds since some moment, never going back.
  virtual int64_t Now() const = 0;
  virtual std::chrono::system_clock::time_point WallNow() const = 0;
  // Runs `task` once, at `when` or soon after, on a thread of the clock's. It must be
  // quick. There is no way to take it back: it looks whether it is still wanted.
  virtual void At(int64_t when, std::function<void()> task) = 0;
  // No task runs when it returns, nor will one, unless it is called by a task.
  virtual void Stop() = 0;
};

// The machine's, with one thread.
std::unique_ptr<Clock> MakeClock();

}  // namespace gatehouse::client
