#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/jose/jwks.h"

namespace gatehouse::keys {

// How a source is doing, for /readyz, metrics and messages.
struct KeySourceState {
  bool has_keys = false;
  // Keys that verify now, and how many of them have left the issuer's set.
  size_t key_count = 0;
  size_t leaving_count = 0;
  // Until the first of those that are leaving ends.
  std::optional<absl::Duration> next_end = {};
  // The set is the last good copy on disk: the issuer has not answered since the start.
  bool from_disk = false;
  // When the issuer was last asked with success, by the wall clock of then, and how
  // long that is ago, by a clock that does not jump; no age for a secret.
  absl::Time last_success = absl::InfinitePast();
  std::optional<absl::Duration> age = {};
  // What went wrong last, with the place; empty when the last attempt succeeded.
  std::string last_error;
  int64_t succeeded_fetches = 0;
  int64_t failed_fetches = 0;
  // Of succeeded_fetches: "the same as before" (HTTP 304).
  int64_t not_modified_fetches = 0;
};

// Where one issuer's keys come from. Thread-safe. The seam between verification
// and the outside: a file, a secret, a URL, a test.
class KeySource {
 public:
  // How the fetch that a waiter waited for went.
  enum class Fetched {
    kSucceeded,  // the set from Current() was fetched after the waiter came
    kFailed,     // the issuer could not be asked, or has no key: an unknown kid proves nothing
    kLookAgain,  // keys have come, but by a fetch that began before the waiter came: what
                 // the set lacks still proves nothing
  };
  using Waiter = std::function<void(Fetched)>;

  virtual ~KeySource() = default;

  // The set in force. Never blocks on I/O. Null when there is none: there has never
  // been one, it is too old, or the issuer's own has been empty for longer than the
  // grace period. None of these says anything about a token.
  virtual std::shared_ptr<const jose::KeySet> Current() const = 0;

  // A place among those who wait. kNone: none is held.
  using Ticket = uint64_t;
  static constexpr Ticket kNone = 0;

  // Calls `waiter` once, when a fetch that begins after this call has ended, or earlier with
  // kLookAgain, when one that runs already has brought a key; who misses a key still waits
  // again. The fetch itself may be put off by a cooldown. `waiter` runs on the source's
  // thread, on this one before AwaitFetch returns (then kNone is returned), or on that
  // of a later caller whom it makes room for, and must not block. A source that never changes
  // answers kSucceeded at once. Where too many wait, the one that has waited longest is called with
  // kFailed, so that a flood of forged kids keeps no good one out. When the source is stopped,
  // those who still wait are called with kFailed.
  virtual Ticket AwaitFetch(Waiter waiter) = 0;

  // Gives the place up: `waiter` is not called any more, unless it runs right now
  // or has run. For kNone and tickets that are spent it does nothing.
  virtual void Forget(Ticket ticket) = 0;

  // The signature of a token is wrong under the key of its kid: perhaps the issuer has
  // another key under this kid now. The set is fetched again when the last fetch began
  // 30 s ago; nobody waits for that. A source that never changes does nothing.
  virtual void Suspect() = 0;

  virtual KeySourceState State() const = 0;
};

}  // namespace gatehouse::keys
