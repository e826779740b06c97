#include "server/revocation/change_feed.h"

#include <algorithm>
#include <utility>

namespace gatehouse::revocation {

void ChangeFeed::OnStep(const StoreStep& step) {
  std::vector<std::function<void()>> reached;
  {
    MutexLock lock(mu_);
    if (step.changes.empty() && step.revision <= revision_) return;
    if (step.changes.empty()) {
      // What the store was loaded with is not told as changes.
      begin_ = end_;
      base_ = step.revision;
      keys_base_ = step.revision;
    }
    for (const Change& change : step.changes) Keep(change);
    if (step.revision > revision_) revision_.store(step.revision, std::memory_order_release);
    while (!waiters_.empty() && waiters_.begin()->first.first <= revision_) {
      reached.push_back(std::move(waiters_.begin()->second));
      waiters_.erase(waiters_.begin());
    }
    version_.fetch_add(1, std::memory_order_release);
  }
  for (const auto& call : reached) call();
  Nudge();
}

void ChangeFeed::Keep(const Change& change) {
  if (end_ - begin_ == int64_t{kChanges}) base_ = At(begin_++).revision;
  const auto place = static_cast<size_t>(end_) % kChanges;
  if (place == ring_.size()) {
    ring_.push_back(change);
  } else {
    ring_[place] = change;
  }
  ++end_;
}

void ChangeFeed::KeysGone(absl::Span<const Tag> keys) {
  if (keys.empty()) return;
  {
    MutexLock lock(mu_);
    for (const Tag& key : keys) {
      keys_.push_back({key, revision_});
      if (keys_.size() <= kKeys) continue;
      keys_base_ = keys_.front().revision;
      keys_.pop_front();
      ++keys_begin_;
    }
    version_.fetch_add(1, std::memory_order_release);
  }
  Nudge();
}

void ChangeFeed::Nudge() {
  MutexLock lock(followers_mu_);
  for (Follower* const follower : followers_) follower->OnNews();
}

void ChangeFeed::Add(Follower& follower) {
  MutexLock lock(followers_mu_);
  followers_.push_back(&follower);
}

void ChangeFeed::Remove(Follower& follower) {
  MutexLock lock(followers_mu_);
  followers_.erase(std::remove(followers_.begin(), followers_.end(), &follower), followers_.end());
}

ChangeFeed::Cursor ChangeFeed::Now() const {
  MutexLock lock(mu_);
  return {revision_, keys_begin_ + static_cast<int64_t>(keys_.size())};
}

ChangeFeed::Cursor ChangeFeed::After(int64_t revision) const {
  constexpr Cursor kTooFar{.revision = -1, .keys = -1};
  MutexLock lock(mu_);
  if (revision <= keys_base_) return kTooFar;
  const auto first = std::find_if(keys_.begin(), keys_.end(),
                                  [&](const GoneKey& key) { return key.revision >= revision; });
  return {revision, keys_begin_ + (first - keys_.begin())};
}

int64_t ChangeFeed::FirstAfter(int64_t revision) const {
  int64_t low = begin_;
  int64_t high = end_;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (At(middle).revision > revision) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

ChangeFeed::Batch ChangeFeed::Read(const Cursor& cursor, size_t limit) const {
  MutexLock lock(mu_);
  Batch batch;
  const int64_t keys_end = keys_begin_ + static_cast<int64_t>(keys_.size());
  if (cursor.revision < base_ || cursor.keys < keys_begin_) {
    batch.fell_behind = true;
    batch.complete = true;
    batch.next = {revision_, keys_end};
    return batch;
  }
  const int64_t first = FirstAfter(cursor.revision);
  const int64_t last = std::min(end_, first + static_cast<int64_t>(limit));
  batch.changes.reserve(static_cast<size_t>(last - first));
  for (int64_t i = first; i < last; ++i) batch.changes.push_back(At(i));
  if (last < end_) {
    batch.next = {batch.changes.empty() ? cursor.revision : batch.changes.back().revision,
                  cursor.keys};
    return batch;
  }
  batch.gone_keys.reserve(static_cast<size_t>(keys_end - cursor.keys));
  for (int64_t i = cursor.keys; i < keys_end; ++i) {
    batch.gone_keys.push_back(keys_[static_cast<size_t>(i - keys_begin_)].tag);
  }
  batch.next = {std::max(cursor.revision, revision_.load(std::memory_order_relaxed)), keys_end};
  batch.complete = true;
  return batch;
}

ChangeFeed::Ticket ChangeFeed::AwaitRevision(int64_t revision, std::function<void()> reached) {
  {
    MutexLock lock(mu_);
    if (revision > revision_ && !waits_ended_) {
      const Ticket ticket{revision, next_ticket_++};
      waiters_.emplace(ticket, std::move(reached));
      return ticket;
    }
  }
  reached();
  return {};
}

void ChangeFeed::EndWaits() {
  std::map<Ticket, std::function<void()>> all;
  {
    MutexLock lock(mu_);
    waits_ended_ = true;
    all.swap(waiters_);
  }
  for (const auto& [ticket, reached] : all) reached();
}

void ChangeFeed::Forget(const Ticket& ticket) {
  MutexLock lock(mu_);
  waiters_.erase(ticket);
}

}  // namespace gatehouse::revocation
