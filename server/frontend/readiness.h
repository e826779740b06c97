#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "server/base/mutex.h"
#include "server/engine/authorizer.h"

namespace gatehouse::frontend {

// Whether the server may be sent calls: it has started, and at least one issuer has
// had keys since. One issuer's outage is not everyone's. Thread-safe.
class Readiness {
 public:
  // name, serving: "" for the whole, else an issuer's name. Called from one thread,
  // first for every name, then on each change.
  using Report = std::function<void(const std::string& name, bool serving)>;

  // `authorizer` outlives it. Looks a few times a second until Stop().
  explicit Readiness(const engine::Authorizer& authorizer) : authorizer_(authorizer) {}
  ~Readiness();

  void Start(Report report);
  // Not ready from now on. Idempotent; no report is running when it returns.
  void Stop() GH_EXCLUDES(mu_);

  bool ready() const { return ready_.load(std::memory_order_acquire); }
  // For people and probes, a line for each issuer: what is there, what is missing.
  std::string Text() const;

 private:
  void Watch(const Report& report);

  const engine::Authorizer& authorizer_;
  std::atomic<bool> ready_ = false;
  Mutex mu_;
  CondVar stop_changed_;
  bool stop_ GH_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace gatehouse::frontend
