#include "client/cpp/src/front.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

namespace gatehouse::client {
namespace {

// Needs no destructor, so that it may be read while a thread ends.
struct Mine {
  Front* front = nullptr;
  uint32_t looks = 0;
  bool ended = false;
};
thread_local Mine mine;

// In cache lines of its own: the references to it are counted there.
struct alignas(64) Own {
  explicit Own(AnswerPtr of) : answer(std::move(of)) {}
  const AnswerPtr answer;
};

AnswerPtr OwnOf(const AnswerPtr& answer) {
  return {std::make_shared<const Own>(answer), answer.get()};
}

size_t NextNumber() {
  static std::atomic<size_t> fronts{0};
  return fronts.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

Front* Front::OfThisThread() {
  if (mine.front != nullptr) return mine.front;
  if (mine.ended || ++mine.looks <= kLooksBefore) return nullptr;
  return Make();
}

Front* Front::Make() {
  thread_local std::unique_ptr<Front> owner;
  owner = std::make_unique<Front>();
  mine.front = owner.get();
  return mine.front;
}

Front::Front() : number_(NextNumber()) {}

Front::~Front() {
  mine.front = nullptr;
  mine.ended = true;
}

AnswerPtr Front::Find(uint64_t hash, uint64_t version, const QuestionView& question, int64_t now,
                      bool& wanted) {
  const size_t place = SetOf(hash);
  const Set& set = sets_[place];
  for (size_t way = 0; way < kWays; ++way) {
    if (set.hashes[way] != hash || set.versions[way] != version) continue;
    const Slot& slot = slots_[place * kWays + way];
    if (now < slot.until && SameAsFlat(question, slot.entry->question())) return slot.answer;
    wanted = true;
    return nullptr;
  }
  wanted = Random() % kOneIn == 0;
  return nullptr;
}

void Front::Put(Entry::Ptr entry, uint64_t version, int64_t now) {
  const size_t place = SetOf(entry->hash);
  Set& set = sets_[place];
  const size_t way = WayFor(set, entry->hash, version);
  Slot& slot = slots_[place * kWays + way];
  AnswerPtr own = OwnOf(entry->answer);
  set.hashes[way] = entry->hash;
  set.versions[way] = version;
  slot.until = std::min(entry->until, now + kAskedAgain);
  slot.answer = std::move(own);
  slot.entry = std::move(entry);
}

size_t Front::WayFor(const Set& set, uint64_t hash, uint64_t version) {
  size_t found = Random() % kWays;
  for (size_t way = 0; way < kWays; ++way) {
    if (set.versions[way] != version) {
      found = way;
    } else if (set.hashes[way] == hash) {
      return way;
    }
  }
  return found;
}

uint64_t Front::Random() {
  random_ = random_ * 6364136223846793005U + 1442695040888963407U;
  return random_ >> 33;
}

}  // namespace gatehouse::client
