#pragma once

#include <array>
#include <cstdint>

#include "client/cpp/src/answer.h"
#include "client/cpp/src/entry.h"
#include "client/cpp/src/question_key.h"

namespace gatehouse::client {

// What one thread looks into before it asks a part of a Memory: some of the answers that it
// asks for often. With it threads that ask for the same write to no memory that they share,
// not even to count references. One for all Memories; each thread uses its own alone.
//
// What is in it is used only while the part has the version that it had when the answer was
// found there. A part's version changes, under its lock, whenever it loses an entry that a
// front may hold, for whatever reason, and no version of any part of the process comes
// twice: so nothing is used that its Memory has dropped, replaced or passed over, nor
// anything of a Memory that is no more.
//
// It may keep alive what is not used any more, question (and so token) and answer, until the
// slot is needed or the thread ends: at most kSlots entries of kMostBytes each. Nothing
// where they are still in the Memory, with which they are shared.
class Front {
 public:
  static constexpr size_t kSlots = 1024;
  // Of an entry: what is larger is always asked of the Memory.
  static constexpr size_t kMostBytes = 4096;
  // After so many looks a thread gets one; what only lives for a few has no use for it.
  static constexpr uint32_t kLooksBefore = 64;
  static constexpr uint64_t kOneIn = 256;
  // For so long, in ns, an answer is used before the part is asked for it again, which
  // thereby hears that it is in use.
  static constexpr int64_t kAskedAgain = 10'000'000;

  // nullptr: this thread has none yet, or not any more, since it ends.
  static Front* OfThisThread();

  Front();
  ~Front();
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

  // `version` is now that of the part for `hash`. nullptr: it is to be asked; `wanted` says
  // whether what it has should be put here. Of what is new one in kOneIn is, by chance: else
  // to ask for thousands in turn would put each of them here in vain.
  AnswerPtr Find(uint64_t hash, uint64_t version, const QuestionView& question, int64_t now,
                 bool& wanted);
  // The entry was in its part, whose version was this, under one hold of its lock.
  void Put(Entry::Ptr entry, uint64_t version, int64_t now);

  // Counts the fronts of the process.
  size_t number() const { return number_; }

 private:
  static constexpr size_t kWays = 4;
  static constexpr size_t kSets = kSlots / kWays;

  // A cache line: all that a look which finds nothing reads.
  struct alignas(64) Set {
    std::array<uint64_t, kWays> hashes{};
    std::array<uint64_t, kWays> versions{};  // 0: of no part
  };
  struct Slot {
    int64_t until = 0;
    Entry::Ptr entry;
    // Counts its references in memory of this thread's.
    AnswerPtr answer;
  };

  static Front* Make();
  // By the bits that choose the part too: all of a set are of one part of each Memory.
  static size_t SetOf(uint64_t hash) { return (hash >> 48) & (kSets - 1); }
  uint64_t Random();
  size_t WayFor(const Set& set, uint64_t hash, uint64_t version);

  std::array<Set, kSets> sets_;
  std::array<Slot, kSlots> slots_;
  uint64_t random_ = 1;
  const size_t number_;
};

}  // namespace gatehouse::client
