#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "client/cpp/src/answer.h"
#include "client/cpp/src/memory.h"
#include "client/cpp/src/question_key.h"
#include "server/base/mutex.h"

namespace gatehouse::client {

// A revision, and the store that it counts in.
struct Revision {
  std::string store_id;
  int64_t number = 0;
};

// One message of the stream.
struct News {
  struct Change {
    bool everything = false;  // of a kind that is not known: forget everything
    Tag tag{};
    int64_t revision = 0;  // 0: it has none
  };
  std::vector<Change> changes;
  Revision revision;
  std::string rules;
  bool fell_behind = false;
};

// What the stream has told, and what may be remembered because of it: docs/clients.md,
// "What is kept". Thread-safe.
class View {
 public:
  // Changes that are remembered, for answers that were overtaken.
  static constexpr size_t kChanges = 4096;

  View(Memory& memory, int64_t max_staleness) : memory_(memory), max_staleness_(max_staleness) {}

  // What is remembered may be used now.
  bool Usable(int64_t now) const { return now < usable_until_.load(std::memory_order_acquire); }
  // Rises with all that makes an earlier answer doubtful. To be read before a request is
  // sent: its answer is shared with nobody who comes after the next rise.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  // What a message did, for those who wait to be told.
  struct Effect {
    bool everything = false;
    std::vector<Tag> tags;
  };
  // `proven`: when the ping was sent that the message answers; nullopt: none of this
  // stream's. The changes count before what else it says.
  Effect Apply(const News& news, std::optional<int64_t> proven) GH_EXCLUDES(mu_);
  // The place is lost: another store, or a future revision. The next stream begins anew.
  void Forget() GH_EXCLUDES(mu_);
  // From where a stream goes on; nullopt: from now.
  std::optional<Revision> place() const GH_EXCLUDES(mu_);

  // Keeps the answer if it may be kept. `sent` and `generation` are from before the request
  // was sent.
  void Keep(const QuestionView& question, const AnswerPtr& answer, int64_t now, int64_t sent,
            uint64_t generation) GH_EXCLUDES(mu_);
  // Whether the answer was overtaken, or may have been. False says that whatever touches it
  // will be among the effects of a later message.
  bool Overtaken(const Facts& facts, uint64_t generation) const GH_EXCLUDES(mu_);

  // This process has made a change, which calls must know of; nothing is used from memory
  // until the stream has passed it.
  void Require(const Revision& revision) GH_EXCLUDES(mu_);
  std::optional<Revision> required() const GH_EXCLUDES(mu_);
  // The server has never heard of it. Another one stays.
  void Unrequire(const Revision& revision) GH_EXCLUDES(mu_);

  struct Counts {
    uint64_t changes = 0;
    uint64_t dropped = 0;
    std::optional<int64_t> proven;
  };
  Counts counts() const GH_EXCLUDES(mu_);

 private:
  struct Past {
    Tag tag;
    int64_t revision;
    uint64_t generation;
  };

  void Remember(const News::Change& change) GH_REQUIRES(mu_);
  void DropEverything() GH_REQUIRES(mu_);
  bool OvertakenLocked(const Facts& facts, uint64_t generation) const GH_REQUIRES(mu_);
  void SetUsable() GH_REQUIRES(mu_);

  Memory& memory_;
  const int64_t max_staleness_;
  std::atomic<int64_t> usable_until_{0};
  std::atomic<uint64_t> generation_{1};

  // Held while a message is applied and while an answer is kept, so that no answer slips
  // in between a change and what it drops.
  mutable Mutex mu_;
  bool known_ GH_GUARDED_BY(mu_) = false;
  Revision revision_ GH_GUARDED_BY(mu_);
  std::string rules_ GH_GUARDED_BY(mu_);
  std::optional<int64_t> proven_ GH_GUARDED_BY(mu_);
  int64_t live_until_ GH_GUARDED_BY(mu_) = 0;
  std::optional<Revision> required_ GH_GUARDED_BY(mu_);
  std::deque<Past> past_ GH_GUARDED_BY(mu_);
  // Changes up to these are not in past_ any more, or never were.
  int64_t past_revision_ GH_GUARDED_BY(mu_) = 0;
  uint64_t past_generation_ GH_GUARDED_BY(mu_) = 0;
  uint64_t changes_ GH_GUARDED_BY(mu_) = 0;
  uint64_t dropped_ GH_GUARDED_BY(mu_) = 0;
};

}  // namespace gatehouse::client
