#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/revocation/marks.h"
#include "server/revocation/revocation.h"

namespace gatehouse::revocation {

// A step of a store's state, as everybody who follows it is told. Views, for the length
// of the call.
struct StoreStep {
  // What is in force now on these tags, in place of what was said of them before.
  // Nothing (Marks::empty): they are to be forgotten.
  absl::Span<const std::pair<Tag, Marks>> tags = {};
  // The changes that this step is made of, rising by revision. Empty while a store is
  // loaded, and where ended facts are cleaned up: that makes no answer different.
  absl::Span<const Change> changes = {};
  // The store's state up to here is told with this step and those before it. Rises with
  // every fact that is added.
  int64_t revision = 0;
  // Facts that ended before this are no longer in force.
  absl::Time cleaned_until = absl::InfinitePast();
};

// Follows a store: first what it held when it was opened, in as many steps as it likes,
// then each commit before its writer is acknowledged. Called by one thread at a time.
class RevocationListener {
 public:
  virtual ~RevocationListener() = default;
  // How many tags are about to come, more or less. Before the first step.
  virtual void OnLoading(size_t /*tags*/) {}
  virtual void OnStep(const StoreStep& step) = 0;
};

struct AppendResult {
  Fact fact;  // the new one, or the one already in force
  // Nothing was written: `fact` already refuses at least the same tokens, and ends no
  // sooner.
  bool existed = false;
  int64_t revision = 0;  // of the store, with `fact` in it
};

struct ReinstateResult {
  Fact fact;             // with `reinstated`
  bool existed = false;  // it was taken back already; nothing was written
  Marks left = {};       // what other facts say of its tag
  int64_t revision = 0;
};

struct ListQuery {
  static constexpr int kMaxLimit = 1000;

  int limit = 100;  // up to kMaxLimit; a page may be shorter and have more behind it
  // Facts with a revision below this, newest first; 0: from the newest.
  int64_t before_revision = 0;
  // Only those that fit all of these.
  std::optional<TagKind> kind = {};
  std::string issuer = {};  // empty: of any
  std::string actor = {};
  absl::Time created_from = absl::InfinitePast();
  absl::Time created_before = absl::InfiniteFuture();
  // Also those that are no longer in force (ended, or taken back).
  bool with_past = false;
};

struct ListResult {
  std::vector<Fact> facts;
  bool more = false;  // there are older ones; then `facts` holds one at least
  int64_t revision = 0;
};

struct ImportResult {
  int64_t added = 0;
  int64_t known = 0;  // by their id, with what took them back
  int64_t revision = 0;
};

struct BackupResult {
  int64_t revision = 0;  // what it holds
  int64_t bytes = 0;
};

// Keeps revocations through anything that happens to the machine. The seam: every
// store passes tests/revocation/store_conformance.h. Thread-safe. Nothing blocks on I/O:
// each `done` is called exactly once, on the store's thread or before the method returns,
// and must not block. UNAVAILABLE: nothing was written (queue full, disk full, failed
// commit, stopped); the message says why.
class RevocationStore {
 public:
  template <typename Result>
  using Done = std::function<void(absl::StatusOr<Result>)>;

  // Stops the store's thread. What was asked before is finished; what is asked
  // during it is called back with UNAVAILABLE.
  virtual ~RevocationStore() = default;

  // Random, 32 hexadecimal digits, made with the store, and anew when a backup is put
  // back. Revisions of different ids cannot be compared. Constant after opening.
  virtual const std::string& store_id() const = 0;

  // How old what this replica knows may be at most; zero for a store that has no other
  // replicas.
  virtual absl::Duration staleness() const = 0;

  // Writes a fact durably, unless one in force refuses at least the same tokens
  // and ends no sooner. Order: commit, listener, `done`. FAILED_PRECONDITION: it would
  // end before StoreStep::cleaned_until, and never be in force.
  virtual void Append(NewFact fact, Done<AppendResult> done) = 0;

  // Takes back the fact of this id, durably, in the same order. NOT_FOUND: there is no
  // such fact, or its effect has ended.
  virtual void Reinstate(std::string id, std::string actor, std::string reason,
                         Done<ReinstateResult> done) = 0;

  // Reads a page. INVALID_ARGUMENT for a before_revision that the store never reached.
  virtual void List(ListQuery query, Done<ListResult> done) = 0;

  // Writes facts that another store made, all of them or none, with their ids, times and
  // actors but new revisions; of those it knows, what took them back. INVALID_ARGUMENT: more than
  // kMaxImport, an id that is none, or that of a fact about something else.
  static constexpr size_t kMaxImport = 1000;
  virtual void Import(std::vector<Fact> facts, Done<ImportResult> done) = 0;

  // Copies the store, as of some moment during the call, into a new file at `path`, while
  // everything else goes on. ALREADY_EXISTS: something lies there.
  // UNAVAILABLE: its folder is not there, or a disk failed; nothing is left. UNIMPLEMENTED: a store
  // that is backed up by its own means.
  virtual void Backup(std::string path, Done<BackupResult> done) = 0;
};

}  // namespace gatehouse::revocation
