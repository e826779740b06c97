#include "server/engine/refusals.h"

#include "server/jose/openssl.h"

namespace gatehouse::engine {
namespace {

constexpr int64_t kNanos = 1'000'000'000;

bool IsSame(const std::weak_ptr<const jose::KeySet>& a,
            const std::shared_ptr<const jose::KeySet>& b) {
  // By owner: an address may be used again, an owner that is held is not.
  return !a.owner_before(b) && !b.owner_before(a);
}

}  // namespace

std::optional<Refusals::Refusal> Refusals::Find(const TokenKey& key) const {
  const size_t number = key.hash % kPlaces;
  const Place& place = places_[number];
  if (place.hash.load(std::memory_order_relaxed) != key.hash) return std::nullopt;
  const std::array<uint8_t, 32> digest = jose::Sha256(key.text);
  const int64_t now = clock_.SteadyNanos();
  MutexLock lock(locks_[number % kLocks]);
  if (place.refusal.issuer == nullptr || place.digest != digest || now >= place.until ||
      !IsSame(place.keys, place.refusal.issuer->keys->Current())) {
    return std::nullopt;
  }
  return place.refusal;
}

void Refusals::Insert(const TokenKey& key, const Refusal& refusal,
                      const std::shared_ptr<const jose::KeySet>& keys) {
  const size_t number = key.hash % kPlaces;
  Place& place = places_[number];
  const std::array<uint8_t, 32> digest = jose::Sha256(key.text);
  const int64_t until = clock_.SteadyNanos() + kSeconds * kNanos;
  MutexLock lock(locks_[number % kLocks]);
  place.hash.store(key.hash, std::memory_order_relaxed);
  place.digest = digest;
  place.refusal = refusal;
  place.keys = keys;
  place.until = until;
}

}  // namespace gatehouse::engine
