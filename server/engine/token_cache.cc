#include "server/engine/token_cache.h"

#include <utility>

namespace gatehouse::engine {
namespace {

// So many places are swept with an insertion: enough that the dead are never more
// than a quarter of the living.
constexpr size_t kPlacesPerInsert = 4;
// And so many with every so many calls of a thread.
constexpr uint32_t kCallsPerTick = 64;
constexpr size_t kPlacesPerTick = 16;

}  // namespace

std::shared_ptr<const KnownToken> TokenCache::Find(const TokenKey& key) const {
  const Shard& shard = ShardOf(key);
  ReaderLock lock(shard.mu);
  return shard.table.Find(key);
}

void TokenCache::Insert(const TokenKey& key, std::shared_ptr<const KnownToken> known,
                        absl::Time now) {
  TokenTable::Dropped dropped;  // freed after the lock
  Shard& shard = ShardOf(key);
  WriterLock lock(shard.mu);
  shard.table.Sweep(kPlacesPerInsert, now, dropped);
  if (shard.table.table_bytes() + known->heap_bytes > max_shard_bytes_) return;
  shard.table.Insert(key, std::move(known), dropped);
  while (shard.table.bytes() > max_shard_bytes_ && shard.table.size() > 0) {
    shard.table.Evict(dropped);
  }
}

void TokenCache::Erase(const TokenKey& key, const KnownToken& known) {
  TokenTable::Dropped dropped;
  Shard& shard = ShardOf(key);
  WriterLock lock(shard.mu);
  shard.table.Erase(key, known, dropped);
}

void TokenCache::Tick(absl::Time now) {
  thread_local uint32_t calls = 0;
  if (++calls % kCallsPerTick != 0) return;
  TokenTable::Dropped dropped;
  Shard& shard = shards_[sweep_next_.fetch_add(1, std::memory_order_relaxed) % kShards];
  WriterLock lock(shard.mu);
  shard.table.Sweep(kPlacesPerTick, now, dropped);
}

size_t TokenCache::bytes() const {
  size_t total = 0;
  for (const Shard& shard : shards_) {
    ReaderLock lock(shard.mu);
    total += shard.table.bytes();
  }
  return total;
}

size_t TokenCache::size() const {
  size_t total = 0;
  for (const Shard& shard : shards_) {
    ReaderLock lock(shard.mu);
    total += shard.table.size();
  }
  return total;
}

}  // namespace gatehouse::engine
