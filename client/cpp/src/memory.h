#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "client/cpp/src/answer.h"
#include "client/cpp/src/question_key.h"
#include "server/base/mutex.h"

namespace gatehouse::client {

// Answers by their questions, bounded in number and bytes. Knows nothing of whether they
// may be used: that is the View's. Thread-safe: divided into parts, each under a lock of
// its own that is held for some 50 ns, so that threads seldom meet.
class Memory {
 public:
  // Bounds of all parts together. `parts` is for tests; 0 is what fits the bounds.
  Memory(size_t max_entries, size_t max_bytes, size_t parts = 0);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // nullptr: there is none, or its time is up. Takes no memory of its own. `hash` is
  // HashOf(question); `now` as in Insert. A second look is no second miss.
  enum class Look { kFirst, kAgain };
  AnswerPtr Find(uint64_t hash, const QuestionView& question, int64_t now,
                 Look look = Look::kFirst);
  // Until `until`, a moment on any one clock that does not go back. Replaces what is there
  // under this question, and makes room: first goes what was not used since it was last
  // passed over. Not at all if it is larger than a part.
  void Insert(uint64_t hash, const QuestionView& question, const AnswerPtr& answer, int64_t now,
              int64_t until);
  // Drops what has this tag; everything. Returns how many went.
  size_t Drop(const Tag& tag);
  size_t Clear();

  struct Counts {
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t entries = 0;
    uint64_t bytes = 0;
  };
  Counts counts() const;

 private:
  struct Entry;
  class Part;

  Part& PartOf(uint64_t hash) const { return *parts_[(hash >> 48) & (parts_.size() - 1)]; }

  std::vector<std::unique_ptr<Part>> parts_;
};

}  // namespace gatehouse::client
