#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "server/base/mutex.h"
#include "server/revocation/revocation.h"
#include "server/revocation/store.h"
#include "server/revocation/tag.h"

namespace gatehouse::revocation {

// The revocations in force, in memory, by tag. Fed by a store; asked by every
// decision. Thread-safe; a reader waits at most for one insertion into its tag's
// shard, never for the disk.
//
// An entry is never skipped because the wall clock says that it has ended: a clock
// that is wrong must not bring a token back.
class RevocationIndex final : public RevocationListener {
 public:
  void OnCommitted(const std::vector<Fact>& facts, int64_t revision) override;

  // Everything committed up to here is in the index. Read it before IsRevoked, so
  // that a reply never claims more than it has looked at.
  int64_t revision() const { return revision_.load(std::memory_order_acquire); }

  // Whether a fact in force covers the token.
  bool IsRevoked(const TokenTags& token) const;

  // Tags with an entry.
  int64_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kShards = 64;
  struct alignas(64) Shard {
    mutable SharedMutex mu;
    // The latest issued_until of a tag's facts; kAll once one covers everything.
    absl::flat_hash_map<Tag, int64_t> issued_until GH_GUARDED_BY(mu);
  };

  const Shard& ShardOf(const Tag& tag) const { return shards_[tag.bytes[15] % kShards]; }
  Shard& ShardOf(const Tag& tag) { return shards_[tag.bytes[15] % kShards]; }

  std::array<Shard, kShards> shards_;
  std::atomic<int64_t> size_ = 0;
  std::atomic<int64_t> revision_ = 0;
};

}  // namespace gatehouse::revocation
