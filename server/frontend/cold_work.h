#pragma once

#include <cstddef>
#include <deque>
#include <vector>

namespace gatehouse::frontend {

// What can be put off: a call whose token is not in the memory.
class ColdItem {};

// What a serving thread has put off, because it takes as long as many calls that need
// no signature checked: bounded, with a fair share for each caller. Callers are known
// by small numbers. For one thread; owns no item.
//
// Revocations have a lane of their own, which a flood of questions does not fill; so
// have questions that take much memory; and each lane has its own bounds. Lanes take
// turns, in a lane callers take turns, and a caller's items are taken in their order.
class ColdWork {
 public:
  enum class Lane { kQuestions, kRevocations, kLargeQuestions };
  // Of a lane; that of large questions holds a quarter.
  struct Limits {
    size_t per_caller = 256;
    size_t in_all = 1024;
  };

  ColdWork() : ColdWork(Limits()) {}
  explicit ColdWork(Limits limits);

  // Takes `item` in. Gives back the one that is to be refused for it, and is not
  // (or no longer) held: `item` itself where its caller has its share already; where
  // the lane is full, the newest of the caller that has most. Null: none.
  ColdItem* Push(Lane lane, size_t caller, ColdItem& item);

  // Takes `item` in beyond all bounds: it was let in before, and has only waited. It
  // takes no place of those that Push lets in.
  void PushAgain(Lane lane, size_t caller, ColdItem& item);

  // The next one, no longer held; null if there is none.
  ColdItem* Pop();

  bool empty() const { return size() == 0; }
  size_t size() const;

 private:
  // Who has items takes turns.
  struct LaneOf {
    std::vector<std::deque<ColdItem*>> by_caller;  // up to the highest that came
    std::deque<size_t> turns;
    size_t size = 0;
  };

  static std::deque<ColdItem*>& ItemsOf(LaneOf& lane, size_t caller);
  static void Add(LaneOf& lane, size_t caller, ColdItem& item);
  static ColdItem* Take(LaneOf& lane);
  static ColdItem* TakeNewestOfFullest(LaneOf& lane);
  Limits LimitsOf(Lane lane) const;
  LaneOf& Of(Lane lane) { return lanes_[static_cast<size_t>(lane)]; }

  const Limits limits_;
  // Those of Push, then those of PushAgain.
  std::vector<LaneOf> lanes_;
  size_t next_lane_ = 0;
};

// When a thread does a piece of cold work: whenever nothing else is ready, and after
// every kHotEvents events, so that it is never starved.
class ColdTurns {
 public:
  static constexpr int kHotEvents = 16;

  // After a look for an event; `had_event`: there was one.
  bool IsDue(bool had_event) {
    if (had_event && ++events_ < kHotEvents) return false;
    events_ = 0;
    return true;
  }

 private:
  int events_ = 0;
};

}  // namespace gatehouse::frontend
