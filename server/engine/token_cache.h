#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "server/base/mutex.h"
#include "server/engine/known_token.h"

namespace gatehouse::engine {

// Tokens that were verified, so that none is paid for twice. Keyed by the whole
// token, which is compared in full. Bounded in bytes; the least recently used go
// first. Thread-safe; a lock covers one shard for one look-up.
//
// Holds nothing that makes a token good: the caller checks that on each hit.
class TokenCache {
 public:
  explicit TokenCache(size_t max_bytes) : max_shard_bytes_(max_bytes / kShards) {}
  ~TokenCache();
  TokenCache(const TokenCache&) = delete;
  TokenCache& operator=(const TokenCache&) = delete;

  // Null if the token is not known.
  std::shared_ptr<const KnownToken> Find(absl::string_view token);
  void Insert(absl::string_view token, std::shared_ptr<const KnownToken> known);
  void Erase(absl::string_view token);

  // What the entries take, by estimate: token, principal, tags and the table.
  size_t bytes() const;
  size_t size() const;

 private:
  static constexpr size_t kShards = 64;

  // An entry and its place in its shard's list, the most recently used first.
  struct Entry {
    std::string token;
    size_t hash = 0;
    size_t bytes = 0;
    std::shared_ptr<const KnownToken> known;
    Entry* newer = nullptr;
    Entry* older = nullptr;
  };
  struct Key {
    absl::string_view token;
    size_t hash;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(const Key& key) const { return key.hash; }
    size_t operator()(const Entry* entry) const { return entry->hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Entry* a, const Entry* b) const { return a->token == b->token; }
    bool operator()(const Entry* a, const Key& b) const { return a->token == b.token; }
    bool operator()(const Key& a, const Entry* b) const { return a.token == b->token; }
  };
  struct alignas(64) Shard {
    mutable Mutex mu;
    absl::flat_hash_set<Entry*, Hash, Equal> entries GH_GUARDED_BY(mu);
    Entry* newest GH_GUARDED_BY(mu) = nullptr;
    Entry* oldest GH_GUARDED_BY(mu) = nullptr;
    size_t bytes GH_GUARDED_BY(mu) = 0;

    void Link(Entry* entry) GH_REQUIRES(mu);
    void Unlink(Entry* entry) GH_REQUIRES(mu);
    // The entry is off the table and the list; the caller frees it.
    void Remove(Entry* entry) GH_REQUIRES(mu);
  };

  static Key KeyOf(absl::string_view token);
  Shard& ShardOf(const Key& key) { return shards_[(key.hash >> 48) % kShards]; }

  const size_t max_shard_bytes_;
  std::array<Shard, kShards> shards_;
};

}  // namespace gatehouse::engine
