#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "server/keys/key_source.h"

namespace gatehouse {

// A key source that a test moves by hand. For one thread.
class FakeKeySource final : public keys::KeySource {
 public:
  // A new set is in force, as if it had been fetched; null: never had one.
  void Set(jose::KeySet next) {
    if (keys_ != nullptr) next = next.Succeed(*keys_);
    keys_ = std::make_shared<const jose::KeySet>(std::move(next));
  }

  std::shared_ptr<const jose::KeySet> Current() const override { return keys_; }
  Ticket AwaitFetch(Waiter waiter) override {
    waiters_.push_back(std::move(waiter));
    return waiters_.size();
  }
  void Forget(Ticket ticket) override { waiters_[ticket - 1] = nullptr; }
  // The fetch that they all wait for has ended.
  void Answer(Fetched fetched) {
    for (const Waiter& waiter : std::exchange(waiters_, {})) {
      if (waiter != nullptr) waiter(fetched);
    }
  }
  keys::KeySourceState State() const override {
    keys::KeySourceState state;
    state.has_keys = keys_ != nullptr;
    state.key_count = keys_ != nullptr ? keys_->keys().size() : 0;
    return state;
  }

 private:
  std::shared_ptr<const jose::KeySet> keys_;
  std::vector<Waiter> waiters_;
};

}  // namespace gatehouse
