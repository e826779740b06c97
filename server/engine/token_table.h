#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "server/engine/known_token.h"
#include "server/engine/token_key.h"

namespace gatehouse::engine {

// Verified tokens by their text: one shard of the TokenCache. An open-addressed
// table with linear probing. Whoever has to make room asks for the next one that
// was not used since it was last asked (CLOCK), so that a use moves nothing.
//
// Const methods may run at the same time as each other, and as nothing else.
class TokenTable {
 public:
  using Entry = std::shared_ptr<const KnownToken>;
  // What has left the table; to be freed when no lock is held.
  using Dropped = absl::InlinedVector<Entry, 8>;

  // Null if the token is not there. Marks it as used.
  Entry Find(const TokenKey& key) const;

  // `entry` is the token of `key`; one of an equal text gives way.
  void Insert(const TokenKey& key, Entry entry, Dropped& dropped);
  // Takes out this very entry, if it is there.
  void Erase(const TokenKey& key, const KnownToken& entry, Dropped& dropped);
  // Takes out one that has not been used of late. The table is not empty.
  void Evict(Dropped& dropped);
  // Looks at the next `places` places, and takes out what has expired or lost its key.
  void Sweep(size_t places, absl::Time now, Dropped& dropped);

  size_t size() const { return size_; }
  // What the table takes of the heap itself, and with its entries.
  size_t table_bytes() const {
    return marks_.capacity() * sizeof(uint32_t) + entries_.capacity() * sizeof(Entry);
  }
  size_t bytes() const { return table_bytes() + entry_bytes_; }

 private:
  static constexpr size_t kNowhere = SIZE_MAX;
  static constexpr uint32_t kUsed = 1;

  // The mark of a place that is taken: 31 bits of the hash, never all zero, and kUsed.
  static uint32_t MarkOf(const TokenKey& key);
  size_t HomeOf(uint32_t mark) const;
  size_t After(size_t place) const { return place + 1 == marks_.size() ? 0 : place + 1; }
  size_t PlaceOf(const TokenKey& key) const;
  void Put(uint32_t mark, Entry entry);
  void TakeOut(size_t place, Dropped& dropped);
  void Grow();

  std::vector<uint32_t> marks_;  // 0: nobody lives here
  std::vector<Entry> entries_;
  size_t size_ = 0;
  size_t entry_bytes_ = 0;
  size_t evict_next_ = 0;
  size_t sweep_next_ = 0;
};

}  // namespace gatehouse::engine
