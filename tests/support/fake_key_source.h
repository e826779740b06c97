#pragma once

#include <map>
#include <memory>
#include <utility>

#include "server/keys/key_source.h"

namespace gatehouse {

// A key source that a test moves by hand. For one thread.
class FakeKeySource final : public keys::KeySource {
 public:
  // A new set is in force, as if it had been fetched.
  void Set(jose::KeySet next) {
    if (keys_ != nullptr) next = next.Succeed(*keys_);
    keys_ = std::make_shared<const jose::KeySet>(std::move(next));
  }

  // There is no set any more, as when the last good one is too old.
  void Clear() {
    if (keys_ != nullptr) keys_->RetireAllBut(jose::KeySet({}));
    keys_ = nullptr;
  }

  // The set comes right after somebody has looked once more.
  void AfterNextLook(jose::KeySet next) {
    next_ = std::make_shared<const jose::KeySet>(std::move(next));
  }

  std::shared_ptr<const jose::KeySet> Current() const override {
    return next_ == nullptr ? keys_ : std::exchange(keys_, std::exchange(next_, nullptr));
  }
  Ticket AwaitFetch(Waiter waiter) override {
    waiters_.emplace(++tickets_, std::move(waiter));
    return tickets_;
  }
  void Forget(Ticket ticket) override { waiters_.erase(ticket); }
  size_t waiting() const { return waiters_.size(); }
  // The fetch that they all wait for has ended.
  void Answer(Fetched fetched) {
    for (const auto& [ticket, waiter] : std::exchange(waiters_, {})) waiter(fetched);
  }
  void Suspect() override { ++suspected_; }
  int suspected() const { return suspected_; }
  keys::KeySourceState State() const override {
    keys::KeySourceState state;
    state.has_keys = keys_ != nullptr;
    state.key_count = keys_ != nullptr ? keys_->keys().size() : 0;
    return state;
  }

 private:
  mutable std::shared_ptr<const jose::KeySet> keys_;
  mutable std::shared_ptr<const jose::KeySet> next_;
  std::map<Ticket, Waiter> waiters_;
  Ticket tickets_ = kNone;
  int suspected_ = 0;
};

}  // namespace gatehouse
