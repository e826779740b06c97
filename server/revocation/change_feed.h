#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "server/base/mutex.h"
#include "server/revocation/store.h"
#include "server/revocation/tag.h"

namespace gatehouse::revocation {

// What whoever remembers answers must know of: the last changes of a store, and the keys
// that have gone, for those who follow. Each reads from where it stands when it likes:
// nothing is queued for anybody, and the memory is bounded whoever is slow. Thread-safe.
//
// To be told of a step behind the index, so that nobody hears of a change before it
// counts.
class ChangeFeed final : public RevocationListener {
 public:
  // Changes that are kept, and keys that have gone.
  static constexpr size_t kChanges = 65536;
  static constexpr size_t kKeys = 4096;

  // How far somebody has read.
  struct Cursor {
    int64_t revision = 0;
    int64_t keys = 0;
    friend bool operator==(const Cursor&, const Cursor&) = default;
  };

  struct Batch {
    std::vector<Change> changes;
    std::vector<Tag> gone_keys;
    // Read up to here; the store's state up to this revision has been told.
    Cursor next;
    // Nothing is given, since not all of it is there any more; `next` is the present.
    bool fell_behind = false;
    // There was nothing more when this was read.
    bool complete = false;
  };

  // Told that there is something to read, without a lock of a reader held. Must not block,
  // nor call the feed.
  class Follower {
   public:
    virtual ~Follower() = default;
    virtual void OnNews() = 0;
  };

  void OnStep(const StoreStep& step) override GH_EXCLUDES(mu_);
  // These keys no longer verify.
  void KeysGone(absl::Span<const Tag> keys) GH_EXCLUDES(mu_);
  // Tells all followers that something else is new.
  void Nudge() GH_EXCLUDES(followers_mu_);

  // From the next news on, until it is removed; no call is under way then. `follower`
  // outlives its place.
  void Add(Follower& follower) GH_EXCLUDES(followers_mu_);
  void Remove(Follower& follower) GH_EXCLUDES(followers_mu_);

  // The present: there is nothing behind it.
  Cursor Now() const GH_EXCLUDES(mu_);
  // Behind `revision`, with every key that has gone since that was the newest. Too far back
  // to be told where that cannot be known: who comes with what the store was loaded with
  // may have missed a key that went before the start.
  Cursor After(int64_t revision) const GH_EXCLUDES(mu_);
  // What came after `cursor`: its changes up to `limit`, and its keys with the last of them.
  Batch Read(const Cursor& cursor, size_t limit) const GH_EXCLUDES(mu_);
  // Another number whenever there is something new to read.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  // Of the present. Everything up to it is in the index.
  int64_t revision() const { return revision_.load(std::memory_order_acquire); }

  // The revision, and a number.
  using Ticket = std::pair<int64_t, uint64_t>;
  // Calls `reached` once, when the present is at `revision` or beyond, and now if it is.
  // It must not block, nor call the feed.
  Ticket AwaitRevision(int64_t revision, std::function<void()> reached) GH_EXCLUDES(mu_);
  // From now on nobody waits: all who do are called now, and so is whoever comes.
  void EndWaits() GH_EXCLUDES(mu_);
  // Not called any more, unless it runs right now or has run.
  void Forget(const Ticket& ticket) GH_EXCLUDES(mu_);

 private:
  struct GoneKey {
    Tag tag;
    int64_t revision;  // the newest when it went
  };
  void Keep(const Change& change) GH_REQUIRES(mu_);
  const Change& At(int64_t index) const GH_REQUIRES(mu_) {
    return ring_[static_cast<size_t>(index) % kChanges];
  }
  // The first of those kept that is newer than `revision`.
  int64_t FirstAfter(int64_t revision) const GH_REQUIRES(mu_);

  mutable Mutex mu_;
  std::atomic<uint64_t> version_ = 1;  // written under mu_
  std::atomic<int64_t> revision_ = 0;  // written under mu_
  // Whoever has read less far misses something.
  int64_t base_ GH_GUARDED_BY(mu_) = 0;
  // Whoever comes with this or less may have missed a key.
  int64_t keys_base_ GH_GUARDED_BY(mu_) = 0;
  // Change i since the start lies at i modulo kChanges; grows up to that.
  std::vector<Change> ring_ GH_GUARDED_BY(mu_);
  int64_t begin_ GH_GUARDED_BY(mu_) = 0;
  int64_t end_ GH_GUARDED_BY(mu_) = 0;
  // The key keys_begin_ + i, counted since the start.
  std::deque<GoneKey> keys_ GH_GUARDED_BY(mu_);
  int64_t keys_begin_ GH_GUARDED_BY(mu_) = 0;
  bool waits_ended_ GH_GUARDED_BY(mu_) = false;
  uint64_t next_ticket_ GH_GUARDED_BY(mu_) = 1;
  std::map<Ticket, std::function<void()>> waiters_ GH_GUARDED_BY(mu_);

  Mutex followers_mu_;
  std::vector<Follower*> followers_ GH_GUARDED_BY(followers_mu_);
};

}  // namespace gatehouse::revocation
