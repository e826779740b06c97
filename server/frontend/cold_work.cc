#include "server/frontend/cold_work.h"

#include <algorithm>

namespace gatehouse::frontend {
namespace {

constexpr size_t kBounded = 4;
constexpr size_t kLanes = 2 * kBounded;

}  // namespace

ColdWork::ColdWork(Limits limits) : limits_(limits), lanes_(kLanes) {}

std::deque<ColdItem*>& ColdWork::ItemsOf(LaneOf& lane, size_t caller) {
  if (caller >= lane.by_caller.size()) lane.by_caller.resize(caller + 1);
  return lane.by_caller[caller];
}

ColdWork::Limits ColdWork::LimitsOf(Lane lane) const {
  if (lane != Lane::kLargeQuestions) return limits_;
  return {.per_caller = limits_.per_caller / 4, .in_all = limits_.in_all / 4};
}

ColdItem* ColdWork::Push(Lane lane, size_t caller, ColdItem& item, int64_t give_up_nanos) {
  LaneOf& place = Of(lane);
  const Limits limits = LimitsOf(lane);
  if (ItemsOf(place, caller).size() >= limits.per_caller) return &item;
  Add(static_cast<size_t>(lane), caller, item, give_up_nanos);
  return place.size > limits.in_all ? TakeNewestOfFullest(place) : nullptr;
}

void ColdWork::PushAgain(Lane lane, size_t caller, ColdItem& item, int64_t give_up_nanos) {
  Add(static_cast<size_t>(lane) + kBounded, caller, item, give_up_nanos);
}

ColdItem* ColdWork::Pop() {
  for (size_t i = 0; i < kLanes; ++i) {
    LaneOf& lane = lanes_[next_lane_];
    next_lane_ = (next_lane_ + 1) % kLanes;
    if (lane.size > 0) return Take(lane);
  }
  return nullptr;
}

ColdItem* ColdWork::PopOverdue(int64_t now_nanos) {
  if (by_give_up_.empty() || by_give_up_.begin()->first > now_nanos) return nullptr;
  ColdItem* const item = by_give_up_.begin()->second;
  LaneOf& lane = lanes_[item->lane_];
  std::deque<ColdItem*>& items = lane.by_caller[item->caller_];
  items.erase(std::find(items.begin(), items.end(), item));
  if (items.empty()) {
    lane.turns.erase(std::find(lane.turns.begin(), lane.turns.end(), item->caller_));
  }
  --lane.size;
  return LetGo(item);
}

ColdItem* ColdWork::LetGo(ColdItem* item) {
  if (item->give_up_nanos_ != kNever) by_give_up_.erase({item->give_up_nanos_, item});
  return item;
}

size_t ColdWork::size() const {
  size_t size = 0;
  for (const LaneOf& lane : lanes_) size += lane.size;
  return size;
}

void ColdWork::Add(size_t lane_index, size_t caller, ColdItem& item, int64_t give_up_nanos) {
  item.lane_ = lane_index;
  item.caller_ = caller;
  item.give_up_nanos_ = give_up_nanos;
  if (give_up_nanos != kNever) by_give_up_.emplace(give_up_nanos, &item);
  LaneOf& lane = lanes_[lane_index];
  std::deque<ColdItem*>& items = ItemsOf(lane, caller);
  if (items.empty()) lane.turns.push_back(caller);
  items.push_back(&item);
  ++lane.size;
}

ColdItem* ColdWork::Take(LaneOf& lane) {
  const size_t caller = lane.turns.front();
  lane.turns.pop_front();
  std::deque<ColdItem*>& items = lane.by_caller[caller];
  ColdItem* const item = items.front();
  items.pop_front();
  if (!items.empty()) lane.turns.push_back(caller);
  --lane.size;
  return LetGo(item);
}

ColdItem* ColdWork::TakeNewestOfFullest(LaneOf& lane) {
  const auto fullest = std::max_element(
      lane.turns.begin(), lane.turns.end(),
      [&lane](size_t a, size_t b) { return lane.by_caller[a].size() < lane.by_caller[b].size(); });
  std::deque<ColdItem*>& items = lane.by_caller[*fullest];
  ColdItem* const newest = items.back();
  items.pop_back();
  if (items.empty()) lane.turns.erase(fullest);
  --lane.size;
  return LetGo(newest);
}

}  // namespace gatehouse::frontend
