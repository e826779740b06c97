#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "client/cpp/src/answer.h"
#include "client/cpp/src/front.h"
#include "client/cpp/src/question_key.h"

namespace gatehouse::client {

// Answers by their questions, bounded in number and bytes. Knows nothing of whether they
// may be used: that is the View's. Thread-safe: divided into parts, each under a lock of
// its own that is held for some 50 ns, and before them each thread has its Front, so that
// threads that ask for the same do not meet.
class Memory {
 public:
  // Bounds of all parts together. `parts` is for tests; 0 is what fits the bounds.
  Memory(size_t max_entries, size_t max_bytes, size_t parts = 0);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // nullptr: there is none, or its time is up. What Drop, Clear or Insert took away is not
  // found by who begins when that has returned, on any thread. `hash` is HashOf(question);
  // `now` as in Insert. A second look is no second miss.
  enum class Look { kFirst, kAgain };
  AnswerPtr Find(uint64_t hash, const QuestionView& question, int64_t now,
                 Look look = Look::kFirst);
  // Until `until`, a moment in ns on any one clock that does not go back. Replaces what is
  // there under this question, and makes room: first goes what was not used since it was
  // last passed over, as far as the fronts have told. Not at all if it is larger than a part.
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
  class Part;
  // Threads count on lines of their own, unless there are more of them than stripes.
  static constexpr size_t kStripes = 32;
  struct alignas(64) Stripe {
    std::atomic<uint64_t> count{0};
  };

  Part& PartOf(uint64_t hash) const { return *parts_[(hash >> 48) & (parts_.size() - 1)]; }

  std::vector<std::unique_ptr<Part>> parts_;
  std::array<Stripe, kStripes> front_hits_;
};

}  // namespace gatehouse::client
