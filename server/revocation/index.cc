#include "server/revocation/index.h"

#include <algorithm>
#include <utility>

namespace gatehouse::revocation {

void RevocationIndex::OnLoading(size_t tags) { table_.Reserve(tags); }

void RevocationIndex::OnStep(const StoreStep& step) {
  // First: whoever misses an entry that was cleaned up must know that it may have been.
  cleaned_until_micros_.store(absl::ToUnixMicros(step.cleaned_until), std::memory_order_release);
  for (const auto& [tag, marks] : step.tags) table_.Set(tag, marks);
  // Last: whoever sees the revision sees its facts.
  revision_.store(step.revision, std::memory_order_release);
}

bool RevocationIndex::IsRevoked(const TokenTags& token, absl::Time now) const {
  return table_.Refuses(token, absl::ToUnixSeconds(now));
}

absl::Time RevocationIndex::SuspendedUntil(const TokenTags& token) const {
  uint32_t until = Marks::kNothing;
  for (const Tag& tag : token.tags) until = std::max(until, table_.Find(tag).suspended_until);
  return until == Marks::kNothing ? absl::InfinitePast() : absl::FromUnixSeconds(until);
}

absl::Time RevocationIndex::cleaned_until() const {
  const int64_t micros = cleaned_until_micros_.load(std::memory_order_acquire);
  return micros == INT64_MIN ? absl::InfinitePast() : absl::FromUnixMicros(micros);
}

void RevocationIndex::SawRefusedSession(const Tag& tag) const {
  MutexLock lock(mu_);
  if (refused_sessions_.size() < kMaxRefusedSessions) refused_sessions_.insert(tag);
}

std::vector<Tag> RevocationIndex::TakeRefusedSessions() const {
  absl::flat_hash_set<Tag> taken;
  {
    MutexLock lock(mu_);
    taken.swap(refused_sessions_);
  }
  return {taken.begin(), taken.end()};
}

}  // namespace gatehouse::revocation
