#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "server/base/mutex.h"
#include "server/frontend/ruleset.h"

namespace gatehouse::frontend {

// Whether the server may be sent calls: it has started, and at least one issuer has
// had keys since. One issuer's outage is not everyone's. Thread-safe.
class Readiness {
 public:
  // name, serving: "" for the whole, else an issuer's name; nullopt: there is no such
  // issuer any more. Called from one thread, first for every name, then on each change.
  using Report = std::function<void(const std::string& name, std::optional<bool> serving)>;

  // `rulesets` outlives it. Looks a few times a second until Stop().
  explicit Readiness(const Rulesets& rulesets) : rulesets_(rulesets) {}
  ~Readiness();

  // `each_look`: called from the same thread at each look.
  void Start(Report report, std::function<void()> each_look = {});
  // Not ready from now on. Idempotent; no report is running when it returns.
  void Stop() GH_EXCLUDES(mu_);

  bool ready() const { return ready_.load(std::memory_order_acquire); }
  // For people and probes, a line for each issuer: what is there, what is missing.
  std::string Text() const;

 private:
  // What was said of each issuer.
  using Said = std::map<std::string, bool>;

  void Watch(const Report& report, const std::function<void()>& each_look);
  // Says what has changed of the issuers in force; whether one of them has keys.
  bool TellIssuers(const Report& report, Said& said) const;

  const Rulesets& rulesets_;
  std::atomic<bool> ready_ = false;
  Mutex mu_;
  CondVar stop_changed_;
  bool stop_ GH_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace gatehouse::frontend
