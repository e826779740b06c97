#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/revocation/cleanup_gate.h"
#include "server/revocation/sqlite_database.h"
#include "server/revocation/sqlite_store.h"

namespace gatehouse::revocation {

// Takes ended facts out of memory and, later, off the disk, and prolongs sessions' facts:
// in rounds of short slices, between which commits go first. For the store's thread.
class SqliteCleanup {
 public:
  using Tell = std::function<void(const StoreStep&)>;

  // What is given outlives it. `tell` reaches the listener.
  SqliteCleanup(const SqliteOptions& options, const Clock& clock, SqliteDatabase& database,
                Tell tell);

  // When the next round is due, as SteadyNanos; in the past until one is over.
  int64_t due() const { return due_; }
  // Begins a round or goes on with it. One that fails is over: the next one begins where it
  // stopped.
  void Step();

 private:
  enum class Phase { kBegin, kProlong, kMove, kTell, kDelete };

  absl::StatusOr<Phase> Go();
  absl::Status ProlongSome();
  absl::Status MoveOn();

  const std::function<absl::Duration()> keep_;
  const absl::Duration audit_;
  const std::function<bool()> saw_good_token_;
  const std::function<std::vector<Tag>()> take_refused_sessions_;
  const Clock& clock_;
  SqliteDatabase& database_;
  const Tell tell_;
  CleanupGate gate_;

  int64_t due_;
  Phase phase_ = Phase::kBegin;
  // Of this round.
  std::vector<Tag> sessions_;
  std::optional<absl::Time> until_;
};

}  // namespace gatehouse::revocation
