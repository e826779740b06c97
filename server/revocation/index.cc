#include "server/revocation/index.h"

#include <algorithm>

namespace gatehouse::revocation {

void RevocationIndex::OnCommitted(const std::vector<Fact>& facts, int64_t revision) {
  for (const Fact& fact : facts) {
    Shard& shard = ShardOf(fact.tag);
    WriterLock lock(shard.mu);
    const auto [entry, added] = shard.issued_until.try_emplace(fact.tag, fact.issued_until);
    if (added) {
      size_.fetch_add(1, std::memory_order_relaxed);
    } else {
      entry->second = std::max(entry->second, fact.issued_until);
    }
  }
  // Last: whoever sees the revision sees its facts, and that size() is not 0.
  revision_.store(revision, std::memory_order_release);
}

bool RevocationIndex::IsRevoked(const TokenTags& token) const {
  if (size() == 0) return false;
  for (const Tag& tag : token.tags) {
    const Shard& shard = ShardOf(tag);
    ReaderLock lock(shard.mu);
    const auto entry = shard.issued_until.find(tag);
    if (entry != shard.issued_until.end() && token.issued_at <= entry->second) return true;
  }
  return false;
}

}  // namespace gatehouse::revocation
