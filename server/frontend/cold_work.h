#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <set>
#include <utility>
#include <vector>

namespace gatehouse::frontend {

// What can be put off: a call whose token is not in the memory.
class ColdItem {
 private:
  friend class ColdWork;
  // While it is held: where, and until when it is of use.
  size_t lane_ = 0;
  size_t caller_ = 0;
  int64_t give_up_nanos_ = 0;
};

// What a serving thread has put off, because it takes as long as many calls that need
// no signature checked: bounded, with a fair share for each caller. Callers are known
// by small numbers. For one thread; owns no item.
//
// Revocations have a lane of their own, which a flood of questions does not fill; so
// have questions that take much memory, and what proxies ask; and each lane has its own
// bounds. Lanes take turns, in a lane callers take turns, and a caller's items are taken in
// their order.
class ColdWork {
 public:
  enum class Lane { kQuestions, kRevocations, kLargeQuestions, kChecks };
  // When an item is given up that is not.
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // Of a lane; that of large questions holds a quarter.
  struct Limits {
    size_t per_caller = 256;
    size_t in_all = 1024;
  };

  ColdWork() : ColdWork(Limits()) {}
  explicit ColdWork(Limits limits);

  // Takes `item` in. Gives back the one that is to be refused for it, and is not
  // (or no longer) held: `item` itself where its caller has its share already; where
  // the lane is full, the newest of the caller that has most. Null: none. `give_up_nanos`:
  // when it is of no use any more, on a clock of the caller's.
  ColdItem* Push(Lane lane, size_t caller, ColdItem& item, int64_t give_up_nanos = kNever);

  // Takes `item` in beyond all bounds: it was let in before, and has only waited. It
  // takes no place of those that Push lets in.
  void PushAgain(Lane lane, size_t caller, ColdItem& item, int64_t give_up_nanos = kNever);

  // The next one, no longer held; null if there is none.
  ColdItem* Pop();

  // One that was to be given up by `now_nanos`, no longer held; null if there is none.
  ColdItem* PopOverdue(int64_t now_nanos);
  // Whether PopOverdue will ever give one.
  bool has_hurried() const { return !by_give_up_.empty(); }

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
  void Add(size_t lane_index, size_t caller, ColdItem& item, int64_t give_up_nanos);
  ColdItem* Take(LaneOf& lane);
  ColdItem* TakeNewestOfFullest(LaneOf& lane);
  // It is held no longer.
  ColdItem* LetGo(ColdItem* item);
  Limits LimitsOf(Lane lane) const;
  LaneOf& Of(Lane lane) { return lanes_[static_cast<size_t>(lane)]; }

  const Limits limits_;
  // Those of Push, then those of PushAgain.
  std::vector<LaneOf> lanes_;
  // Those that are given up some time, the next one first.
  std::set<std::pair<int64_t, ColdItem*>> by_give_up_;
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
