#include "client/cpp/src/clock.h"

#include <time.h>

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "client/cpp/src/own_thread.h"
#include "server/base/mutex.h"

namespace gatehouse::client {
namespace {

// Longer sleeps are cut up: the condition's clock stands still while the machine sleeps.
constexpr int64_t kLongestSleep = kSecond;

class MachineClock final : public Clock {
 public:
  MachineClock() : thread_([this] { Run(); }) {}
  ~MachineClock() override { Stop(); }

  // CLOCK_BOOTTIME goes on while the machine is suspended, as CLOCK_MONOTONIC does not:
  // what was remembered before is stale afterwards. Both cost 20 to 30 ns, without a
  // system call. The coarse clocks would cost 5 and be up to 4 ms late, which is nothing
  // against max_staleness; but only CLOCK_MONOTONIC has one.
  int64_t Now() const override {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return time.tv_sec * kSecond + time.tv_nsec;
  }

  std::chrono::system_clock::time_point WallNow() const override {
    return std::chrono::system_clock::now();
  }

  void At(int64_t when, std::function<void()> task) override {
    MutexLock lock(mu_);
    if (stopped_) return;
    const bool first = tasks_.empty() || when < tasks_.begin()->first;
    tasks_.emplace(when, std::move(task));
    if (first) changed_.NotifyOne();
  }

  void Stop() override {
    std::multimap<int64_t, std::function<void()>> dropped;
    {
      MutexLock lock(mu_);
      stopped_ = true;
      dropped.swap(tasks_);
      changed_.NotifyOne();
    }
    if (!thread_.joinable()) return;
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

 private:
  void Run() {
    on_own_thread = true;
    while (true) {
      std::function<void()> task;
      {
        MutexLock lock(mu_);
        while (!stopped_ && (tasks_.empty() || tasks_.begin()->first > Now())) {
          if (tasks_.empty()) {
            changed_.Wait(mu_);
          } else {
            const int64_t left = tasks_.begin()->first - Now();
            changed_.WaitFor(mu_, std::chrono::nanoseconds(std::min(left, kLongestSleep)));
          }
        }
        if (stopped_) return;
        task = std::move(tasks_.begin()->second);
        tasks_.erase(tasks_.begin());
      }
      task();
    }
  }

  Mutex mu_;
  CondVar changed_;
  std::multimap<int64_t, std::function<void()>> tasks_ GH_GUARDED_BY(mu_);
  bool stopped_ GH_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace

std::unique_ptr<Clock> MakeClock() { return std::make_unique<MachineClock>(); }

}  // namespace gatehouse::client
