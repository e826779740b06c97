#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/engine/token_key.h"
#include "server/engine/trusted_issuer.h"
#include "server/jose/jwks.h"

namespace gatehouse::engine {

// Tokens whose signature was found to be wrong a moment ago, so that one that is sent
// again and again is not paid for each time. Each is known by the SHA-256 of its whole
// text, so that no other token can be refused in its place; counts for kSeconds by the
// steady clock, and only for the very key set it was tried on. Of fixed size: the
// newer of two that want one place has it. Thread-safe.
class Refusals {
 public:
  static constexpr int64_t kSeconds = 10;

  struct Refusal {
    const TrustedIssuer* issuer = nullptr;
    std::array<uint8_t, 4> identity{};  // the first bytes, for the log
  };

  // `clock` outlives this.
  explicit Refusals(const Clock& clock) : clock_(clock), places_(kPlaces) {}

  // Whether the token is to be refused still.
  std::optional<Refusal> Find(const TokenKey& key) const;

  // The signature of `key`'s token is that of no key in `keys`, which are of
  // `refusal.issuer`.
  void Insert(const TokenKey& key, const Refusal& refusal,
              const std::shared_ptr<const jose::KeySet>& keys);

 private:
  static constexpr size_t kPlaces = 2048;
  static constexpr size_t kLocks = 32;

  struct Place {
    std::atomic<uint64_t> hash = 0;  // looked at without a lock; 0: empty
    std::array<uint8_t, 32> digest{};
    Refusal refusal;
    std::weak_ptr<const jose::KeySet> keys;
    int64_t until = 0;
  };

  const Clock& clock_;
  std::vector<Place> places_;  // each under the lock of its number, but for the hash
  mutable std::array<Mutex, kLocks> locks_;
};

}  // namespace gatehouse::engine
