#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/jose/verification_key.h"

namespace gatehouse::jose {

// The keys of one issuer at one time: its own, and behind them those that have left
// the issuer's set and count a while longer. Immutable, thread-safe.
class KeySet {
 public:
  explicit KeySet(std::vector<std::shared_ptr<const VerificationKey>> keys)
      : keys_(std::move(keys)) {}

  const std::vector<std::shared_ptr<const VerificationKey>>& keys() const { return keys_; }
  bool empty() const { return keys_.empty(); }

  // How many of keys(), the last ones, have left the issuer's set.
  size_t leaving() const { return ends_.size(); }

  // The key with exactly this kid that accepts this algorithm, null if there is none.
  // Where an own key and leaving ones share the kid, the own one.
  std::shared_ptr<const VerificationKey> Find(absl::string_view kid, Algorithm algorithm) const;
  // For a token without `kid`: the keys that accept this algorithm, in the set's order,
  // 16 at most. `more`, if not null, becomes whether there are others: that none of
  // these verifies a token then proves nothing.
  std::vector<std::shared_ptr<const VerificationKey>> Candidates(Algorithm algorithm,
                                                                 bool* more = nullptr) const;

  // All keys with exactly this kid that accept this algorithm, the issuer's own first,
  // 4 at most. `more` as above.
  std::vector<std::shared_ptr<const VerificationKey>> Candidates(absl::string_view kid,
                                                                 Algorithm algorithm,
                                                                 bool* more = nullptr) const;

  // This set, with each key that `before` also has (same kid, algorithms and
  // thumbprint) taken from `before`; every key of `before` that this set lacks is
  // retired. So a key object lives as long as its key is in force.
  KeySet Succeed(const KeySet& before) const;

  // The same, but nothing is retired: what this set lacks is carried along as leaving,
  // until the steady time `end`, or for what was leaving already until its own end.
  // This set has no leaving keys.
  KeySet Succeed(const KeySet& before, int64_t end) const;
  // This set without the leaving keys whose end has come.
  KeySet At(int64_t now) const;
  // The next end of a leaving key; INT64_MAX without one.
  int64_t NextEnd() const;
  // Retires every key of this set that `kept` lacks. After `kept` is in force: else a
  // reader of this set would take the keys' end for the token's fault.
  void RetireAllBut(const KeySet& kept) const;

 private:
  std::vector<std::shared_ptr<const VerificationKey>> keys_;
  std::vector<int64_t> ends_;  // of the leaving keys
};

// What was left out of a set, and why. For the log.
struct RefusedKey {
  std::string kid;     // empty if it has none
  std::string reason;  // holds no key material
};

struct ParsedKeySet {
  KeySet keys;
  std::vector<RefusedKey> refused;
};

// Reads a JWK Set (RFC 7517 section 5), `json` at most 256 KiB, 256 keys at most.
// Keys that cannot be used for verifying one of our algorithms are refused one by
// one: `oct` keys, private key members, RSA below 2048 or above 8192 bits or with
// a public exponent that is even, below 65537 or above 64 bits, EC points off the
// curve, Ed25519 keys of small order, `use` other than sig, `key_ops` without
// verify, an `alg` that disagrees with the key, `x5c`-only keys, all keys of a kid
// that different keys share which could both accept one algorithm. A key type or curve we do not
// know is refused the same way, so one odd key does not take the set away. INVALID_ARGUMENT only
// when the text is no JWK Set at all.
absl::StatusOr<ParsedKeySet> ParseJwks(absl::string_view json);

}  // namespace gatehouse::jose
