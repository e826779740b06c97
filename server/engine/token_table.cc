#include "server/engine/token_table.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace gatehouse::engine {
namespace {

constexpr size_t kFirstPlaces = 8;

bool IsOver(const KnownToken& known, absl::Time now) {
  return known.key->retired() || jose::JwtVerifier::CheckTime(known.times(), known.rules(), now) ==
                                     jose::TimeVerdict::kExpired;
}

// A token's text lies behind it. Of a hundred thousand most are in no cache: asked
// for now, it arrives together with what says where it is.
void FetchText(const KnownToken* known) {
  constexpr size_t kLines = 6;
  constexpr size_t kLineBytes = 64;
  const char* const text = reinterpret_cast<const char*>(known + 1);
  for (size_t line = 0; line < kLines; ++line) __builtin_prefetch(text + line * kLineBytes);
}

}  // namespace

uint32_t TokenTable::MarkOf(const TokenKey& key) {
  const auto mark = static_cast<uint32_t>(key.hash >> 32) & ~kUsed;
  return mark == 0 ? kUsed << 1 : mark;
}

size_t TokenTable::HomeOf(uint32_t mark) const {
  return static_cast<size_t>((uint64_t{mark & ~kUsed} * marks_.size()) >> 32);
}

size_t TokenTable::PlaceOf(const TokenKey& key) const {
  if (marks_.empty()) return kNowhere;
  const uint32_t wanted = MarkOf(key);
  for (size_t place = HomeOf(wanted);; place = After(place)) {
    // Other readers may set kUsed meanwhile.
    const uint32_t mark =
        std::atomic_ref(const_cast<uint32_t&>(marks_[place])).load(std::memory_order_relaxed);
    if (mark == 0) return kNowhere;
    if ((mark & ~kUsed) != wanted) continue;
    FetchText(entries_[place].get());
    if (entries_[place]->token == key.text) return place;
  }
}

TokenTable::Entry TokenTable::Find(const TokenKey& key) const {
  const size_t place = PlaceOf(key);
  if (place == kNowhere) return nullptr;
  const std::atomic_ref mark(const_cast<uint32_t&>(marks_[place]));
  // Written once between two rounds, so that the line of a hot token stays shared.
  if ((mark.load(std::memory_order_relaxed) & kUsed) == 0) {
    mark.fetch_or(kUsed, std::memory_order_relaxed);
  }
  return entries_[place];
}

void TokenTable::Put(uint32_t mark, Entry entry) {
  size_t place = HomeOf(mark);
  while (marks_[place] != 0) place = After(place);
  marks_[place] = mark;
  entries_[place] = std::move(entry);
}

void TokenTable::Grow() {
  const size_t places = std::max(kFirstPlaces, marks_.size() + marks_.size() / 2);
  const auto marks = std::exchange(marks_, std::vector<uint32_t>(places));
  auto entries = std::exchange(entries_, std::vector<Entry>(places));
  for (size_t place = 0; place < marks.size(); ++place) {
    if (marks[place] != 0) Put(marks[place], std::move(entries[place]));
  }
  evict_next_ = 0;
  sweep_next_ = 0;
}

void TokenTable::Insert(const TokenKey& key, Entry entry, Dropped& dropped) {
  if (const size_t place = PlaceOf(key); place != kNowhere) TakeOut(place, dropped);
  if ((size_ + 1) * 5 > marks_.size() * 4) Grow();
  ++size_;
  entry_bytes_ += entry->heap_bytes;
  Put(MarkOf(key), std::move(entry));
}

void TokenTable::TakeOut(size_t place, Dropped& dropped) {
  --size_;
  entry_bytes_ -= entries_[place]->heap_bytes;
  dropped.push_back(std::move(entries_[place]));
  // Those behind it that could not have their home move up, or a search that begins
  // at their home would end here.
  for (size_t next = After(place); marks_[next] != 0; next = After(next)) {
    const size_t home = HomeOf(marks_[next]);
    const bool stays = place <= next ? place < home && home <= next : place < home || home <= next;
    if (stays) continue;
    marks_[place] = marks_[next];
    entries_[place] = std::move(entries_[next]);
    place = next;
  }
  marks_[place] = 0;
  entries_[place] = nullptr;
}

void TokenTable::Erase(const TokenKey& key, const KnownToken& entry, Dropped& dropped) {
  const size_t place = PlaceOf(key);
  if (place != kNowhere && entries_[place].get() == &entry) TakeOut(place, dropped);
}

void TokenTable::Evict(Dropped& dropped) {
  while (true) {
    if (evict_next_ >= marks_.size()) evict_next_ = 0;
    uint32_t& mark = marks_[evict_next_];
    if (mark != 0 && (mark & kUsed) == 0) return TakeOut(evict_next_, dropped);
    mark &= ~kUsed;
    ++evict_next_;
  }
}

void TokenTable::Sweep(size_t places, absl::Time now, Dropped& dropped) {
  for (; places > 0 && size_ > 0; --places) {
    if (sweep_next_ >= marks_.size()) sweep_next_ = 0;
    if (marks_[sweep_next_] != 0 && IsOver(*entries_[sweep_next_], now)) {
      TakeOut(sweep_next_, dropped);
    } else {
      ++sweep_next_;
    }
  }
}

}  // namespace gatehouse::engine
