#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/revocation/revocation.h"

namespace gatehouse::revocation {

// Told of every fact that is in force, first those that a store held when it was
// opened, then each new one before its writer is acknowledged. Called by one
// thread at a time.
class RevocationListener {
 public:
  virtual ~RevocationListener() = default;
  // `facts` are committed, and make up the store's state up to `revision`.
  virtual void OnCommitted(const std::vector<Fact>& facts, int64_t revision) = 0;
};

struct AppendResult {
  Fact fact;  // the new one, or the one already in force
  bool
      existed;  // nothing was written: `fact` already refuses at least the same, and ends no sooner
  int64_t revision;  // of the store, with `fact` in it
};

struct ListQuery {
  int limit = 100;  // a page may be shorter and have more behind it
  // Facts with a revision below this, newest first; 0: from the newest.
  int64_t before_revision = 0;
};

struct ListResult {
  std::vector<Fact> facts;
  bool more = false;  // there are older ones
  int64_t revision = 0;
};

// Keeps revocations through anything that happens to the machine. The seam: every
// store passes tests/revocation/store_conformance.h. Thread-safe.
class RevocationStore {
 public:
  using AppendDone = std::function<void(absl::StatusOr<AppendResult>)>;
  using ListDone = std::function<void(absl::StatusOr<ListResult>)>;

  // Stops the store's thread. What was asked before is finished; what is asked
  // during it is called back with UNAVAILABLE.
  virtual ~RevocationStore() = default;

  // Random, 32 hexadecimal digits, made with the store. Revisions of different
  // ids cannot be compared. Constant after opening.
  virtual const std::string& store_id() const = 0;

  // Writes a fact durably, unless one in force refuses at least the same tokens
  // and ends no sooner. Order: commit, listener, `done`. `done` is called exactly
  // once, on the store's thread or before Append returns, and must not block.
  // UNAVAILABLE: nothing was written (queue full, disk full, failed commit,
  // stopped); the message says why. Never blocks on I/O.
  virtual void Append(NewFact fact, AppendDone done) = 0;

  // Reads a page. The same rules for `done`.
  virtual void List(ListQuery query, ListDone done) = 0;
};

}  // namespace gatehouse::revocation
