#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/revocation/store.h"
#include "server/revocation/tag.h"
#include "server/revocation/tag_table.h"

namespace gatehouse::revocation {

// The revocations in force, in memory, by tag. Fed by a store; asked by every decision.
// Thread-safe; a reader waits for nobody.
//
// An entry is never skipped because the wall clock says that it has ended, but a
// suspension, which is over then: a clock that is wrong must not bring a token back.
class RevocationIndex final : public RevocationListener {
 public:
  void OnLoading(size_t tags) override;
  void OnStep(const StoreStep& step) override;

  // Everything committed up to here is in the index. Read it before IsRevoked, so
  // that a reply never claims more than it has looked at. Rises with every fact that is
  // added: a token that was not revoked at a revision, and has no suspension, is not while
  // it stays.
  int64_t revision() const { return revision_.load(std::memory_order_acquire); }

  // Whether a fact in force covers the token.
  bool IsRevoked(const TokenTags& token, absl::Time now) const;

  // When the last suspension of the token ends; the infinite past without one.
  absl::Time SuspendedUntil(const TokenTags& token) const;

  // Facts that ended before this have left the index: a token that could not be good
  // after it is expired, whatever the clock says (see kMargin).
  absl::Time cleaned_until() const;
  // A fact's end lies at least so much behind the `exp` of the tokens that it covers.
  static constexpr absl::Duration kMargin = absl::Seconds(120);

  // Tags with an entry, and the memory for them.
  int64_t size() const { return static_cast<int64_t>(table_.size()); }
  int64_t bytes() const { return static_cast<int64_t>(table_.bytes()); }

  // What the store must know of the tokens that are asked about. A good token has been seen
  // whose iat lay no more than kFresh before now, so the clock is not far ahead of its
  // issuer's: by such a clock none is that.
  static constexpr absl::Duration kFresh = absl::Minutes(5);
  void SawGoodToken() const {
    if (!saw_good_token_.load(std::memory_order_relaxed)) {
      saw_good_token_.store(true, std::memory_order_relaxed);
    }
  }
  bool saw_good_token() const { return saw_good_token_.load(std::memory_order_relaxed); }
  // Whether one was seen since the last call.
  bool TakeSawGoodToken() const {
    return saw_good_token_.exchange(false, std::memory_order_relaxed);
  }
  // A token with this session's tag was refused: the session may live on and mint more.
  void SawRefusedSession(const Tag& tag) const GH_EXCLUDES(mu_);
  // The sessions since the last call.
  std::vector<Tag> TakeRefusedSessions() const GH_EXCLUDES(mu_);

 private:
  static constexpr size_t kMaxRefusedSessions = 65536;

  TagTable table_;
  std::atomic<int64_t> revision_ = 0;
  std::atomic<int64_t> cleaned_until_micros_ = INT64_MIN;
  mutable std::atomic<bool> saw_good_token_ = false;
  mutable Mutex mu_;
  mutable absl::flat_hash_set<Tag> refused_sessions_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse::revocation
