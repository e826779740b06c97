#include "server/keys/waiter_queue.h"

#include <utility>

namespace gatehouse::keys {

WaiterQueue::Ticket WaiterQueue::Add(Waiter waiter, Waiter& evicted) {
  if (waiting_.size() >= most_) evicted = TakeFirst();
  waiting_.emplace_hint(waiting_.end(), ++newest_, std::move(waiter));
  return newest_;
}

WaiterQueue::Waiter WaiterQueue::Take(Ticket ticket) {
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end()) return nullptr;
  Waiter waiter = std::move(found->second);
  waiting_.erase(found);
  return waiter;
}

bool WaiterQueue::AnyNew() const {
  return !waiting_.empty() && waiting_.rbegin()->first > newest_begun_;
}

WaiterQueue::Waiter WaiterQueue::NextUpTo(Ticket last) {
  if (waiting_.empty() || waiting_.begin()->first > last) return nullptr;
  return TakeFirst();
}

WaiterQueue::Waiter WaiterQueue::TakeFirst() {
  Waiter waiter = std::move(waiting_.begin()->second);
  waiting_.erase(waiting_.begin());
  return waiter;
}

}  // namespace gatehouse::keys
