#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/engine/known_token.h"
#include "server/engine/token_key.h"
#include "server/engine/token_table.h"

namespace gatehouse::engine {

// Tokens that were verified, so that none is paid for twice. Keyed by the whole
// token, which is compared in full, and used under one configuration only: the cache
// is the authorizer's, and its entries point at their issuer there. Bounded in bytes
// of the heap, as the allocator counts them; what was not used of late goes first.
// What has expired or lost its key leaves by itself, a little with every insertion
// and every few calls. Thread-safe: a look-up takes one shard's lock together with
// other look-ups.
//
// Holds nothing that makes a token good: the caller checks that on each hit.
class TokenCache {
 public:
  explicit TokenCache(size_t max_bytes) : max_shard_bytes_(max_bytes / kShards) {}
  TokenCache(const TokenCache&) = delete;
  TokenCache& operator=(const TokenCache&) = delete;

  // Null if the token is not known.
  std::shared_ptr<const KnownToken> Find(const TokenKey& key) const;
  // `key` is that of `known`.
  void Insert(const TokenKey& key, std::shared_ptr<const KnownToken> known, absl::Time now);
  // Drops this very entry, if it is still there.
  void Erase(const TokenKey& key, const KnownToken& known);
  // To be called with every question: once in a while it does a little of the sweeping.
  void Tick(absl::Time now);

  // What tables and entries take of the heap.
  size_t bytes() const;
  size_t size() const;

 private:
  static constexpr size_t kShards = 64;

  struct alignas(64) Shard {
    mutable SharedMutex mu;
    TokenTable table GH_GUARDED_BY(mu);
  };

  const Shard& ShardOf(const TokenKey& key) const { return shards_[key.hash % kShards]; }
  Shard& ShardOf(const TokenKey& key) { return shards_[key.hash % kShards]; }

  const size_t max_shard_bytes_;
  std::array<Shard, kShards> shards_;
  std::atomic<size_t> sweep_next_ = 0;
};

}  // namespace gatehouse::engine
