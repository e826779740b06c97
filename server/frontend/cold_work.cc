#include "server/frontend/cold_work.h"

#include <algorithm>

namespace gatehouse::frontend {
namespace {

constexpr size_t kBounded = 3;
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

ColdItem* ColdWork::Push(Lane lane, size_t caller, ColdItem& item) {
  LaneOf& place = Of(lane);
  const Limits limits = LimitsOf(lane);
  if (ItemsOf(place, caller).size() >= limits.per_caller) return &item;
  Add(place, caller, item);
  return place.size > limits.in_all ? TakeNewestOfFullest(place) : nullptr;
}

void ColdWork::PushAgain(Lane lane, size_t caller, ColdItem& item) {
  Add(lanes_[static_cast<size_t>(lane) + kBounded], caller, item);
}

ColdItem* ColdWork::Pop() {
  for (size_t i = 0; i < kLanes; ++i) {
    LaneOf& lane = lanes_[next_lane_];
    next_lane_ = (next_lane_ + 1) % kLanes;
    if (lane.size > 0) return Take(lane);
  }
  return nullptr;
}

size_t ColdWork::size() const {
  size_t size = 0;
  for (const LaneOf& lane : lanes_) size += lane.size;
  return size;
}

void ColdWork::Add(LaneOf& lane, size_t caller, ColdItem& item) {
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
  return item;
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
  return newest;
}

}  // namespace gatehouse::frontend
