#include "server/engine/token_cache.h"

#include <utility>
#include <vector>

#include "absl/hash/hash.h"

namespace gatehouse::engine {
namespace {

size_t HeapOf(const std::string& s) { return s.capacity() > 15 ? s.capacity() + 1 : 0; }

size_t HeapOf(const std::vector<std::string>& list) {
  size_t bytes = list.capacity() * sizeof(std::string);
  for (const std::string& s : list) bytes += HeapOf(s);
  return bytes;
}

size_t BytesOf(const KnownToken& known) {
  const policy::Principal& p = known.principal;
  return sizeof(KnownToken) + HeapOf(known.rendered) + HeapOf(p.issuer) + HeapOf(p.subject) +
         HeapOf(p.tenant) + HeapOf(p.roles) + HeapOf(p.scopes) + HeapOf(p.session_id) +
         HeapOf(p.token_id) + HeapOf(p.client_id) + HeapOf(p.email);
}

// The table's slot and control byte at its usual load, and the heap's own headers.
constexpr size_t kOverhead = 64;

}  // namespace

void TokenCache::Shard::Link(Entry* entry) {
  entry->newer = nullptr;
  entry->older = newest;
  if (newest != nullptr) newest->newer = entry;
  newest = entry;
  if (oldest == nullptr) oldest = entry;
}

void TokenCache::Shard::Unlink(Entry* entry) {
  (entry->newer != nullptr ? entry->newer->older : newest) = entry->older;
  (entry->older != nullptr ? entry->older->newer : oldest) = entry->newer;
}

void TokenCache::Shard::Remove(Entry* entry) {
  entries.erase(entry);
  Unlink(entry);
  bytes -= entry->bytes;
}

TokenCache::~TokenCache() {
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mu);
    for (Entry* entry : shard.entries) delete entry;
  }
}

TokenCache::Key TokenCache::KeyOf(absl::string_view token) {
  return Key{token, absl::Hash<absl::string_view>()(token)};
}

std::shared_ptr<const KnownToken> TokenCache::Find(absl::string_view token) {
  const Key key = KeyOf(token);
  Shard& shard = ShardOf(key);
  MutexLock lock(shard.mu);
  const auto it = shard.entries.find(key);
  if (it == shard.entries.end()) return nullptr;
  Entry* entry = *it;
  if (shard.newest != entry) {
    shard.Unlink(entry);
    shard.Link(entry);
  }
  return entry->known;
}

void TokenCache::Insert(absl::string_view token, std::shared_ptr<const KnownToken> known) {
  const Key key = KeyOf(token);
  auto entry = std::make_unique<Entry>();
  entry->token.assign(token.data(), token.size());
  entry->hash = key.hash;
  entry->bytes = sizeof(Entry) + HeapOf(entry->token) + BytesOf(*known) + kOverhead;
  entry->known = std::move(known);
  if (entry->bytes > max_shard_bytes_) return;

  std::vector<std::unique_ptr<Entry>> dropped;  // freed after the lock
  Shard& shard = ShardOf(key);
  MutexLock lock(shard.mu);
  if (const auto it = shard.entries.find(key); it != shard.entries.end()) {
    dropped.emplace_back(*it);
    shard.Remove(dropped.back().get());
  }
  while (shard.bytes + entry->bytes > max_shard_bytes_) {
    dropped.emplace_back(shard.oldest);
    shard.Remove(dropped.back().get());
  }
  shard.bytes += entry->bytes;
  shard.Link(entry.get());
  shard.entries.insert(entry.release());
}

void TokenCache::Erase(absl::string_view token) {
  const Key key = KeyOf(token);
  std::unique_ptr<Entry> dropped;
  Shard& shard = ShardOf(key);
  MutexLock lock(shard.mu);
  if (const auto it = shard.entries.find(key); it != shard.entries.end()) {
    dropped.reset(*it);
    shard.Remove(dropped.get());
  }
}

size_t TokenCache::bytes() const {
  size_t total = 0;
  for (const Shard& shard : shards_) {
    MutexLock lock(shard.mu);
    total += shard.bytes;
  }
  return total;
}

size_t TokenCache::size() const {
  size_t total = 0;
  for (const Shard& shard : shards_) {
    MutexLock lock(shard.mu);
    total += shard.entries.size();
  }
  return total;
}

}  // namespace gatehouse::engine
