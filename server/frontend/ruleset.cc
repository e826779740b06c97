#include "server/frontend/ruleset.h"

#include <algorithm>
#include <utility>

namespace gatehouse::frontend {

void Rulesets::Reader::Refresh() {
  MutexLock lock(rulesets_.mu_);
  version_ = rulesets_.version_.load(std::memory_order_relaxed);
  const auto own = std::make_shared<const std::shared_ptr<const Ruleset>>(rulesets_.current_);
  current_ = std::shared_ptr<const Ruleset>(own, own->get());
}

std::shared_ptr<const Ruleset> Rulesets::Current() const {
  MutexLock lock(mu_);
  return current_;
}

void Rulesets::Replace(std::shared_ptr<const Ruleset> next) {
  {
    MutexLock lock(mu_);
    retired_.push_back(std::exchange(current_, std::move(next)));
    version_.fetch_add(1, std::memory_order_release);
  }
  FreeRetired();
}

size_t Rulesets::FreeRetired() {
  // Destroyed when the lock is no longer held.
  std::vector<std::shared_ptr<const Ruleset>> unheld;
  MutexLock lock(mu_);
  // Who is not in force is not handed out any more, so that a count of one stays.
  const auto held = std::partition(retired_.begin(), retired_.end(),
                                   [](const auto& one) { return one.use_count() == 1; });
  unheld.assign(std::make_move_iterator(retired_.begin()), std::make_move_iterator(held));
  retired_.erase(retired_.begin(), held);
  return retired_.size();
}

}  // namespace gatehouse::frontend
