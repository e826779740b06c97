#include "client/cpp/src/memory.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "client/cpp/src/entry.h"
#include "server/base/mutex.h"

namespace gatehouse::client {
namespace {

// A part for so many entries, up to kMaxParts: enough that threads seldom meet, few enough
// that a change, which visits them all, costs microseconds.
constexpr size_t kEntriesOfPart = 128;
constexpr size_t kMaxParts = 64;
// Entries that an insertion looks over for such as have ended.
constexpr size_t kLookedOver = 2;

size_t PartsFor(size_t max_entries) {
  size_t parts = 1;
  while (parts < kMaxParts && parts * 2 * kEntriesOfPart <= max_entries) parts *= 2;
  return parts;
}

// No two are alike in this process; never 0.
uint64_t NewVersion() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// What a front is given: an entry, and the version that the part had then.
struct Held {
  Entry::Ptr entry;
  uint64_t version = 0;
};

}  // namespace

class alignas(64) Memory::Part {
 public:
  Part(size_t max_entries, size_t max_bytes)
      : max_entries_(max_entries), max_bytes_(max_bytes), slots_(16, nullptr) {}

  // A front that was filled under this one may be used. Changes under the lock.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  // `held`: where what is found is put for a front; nullptr: nowhere.
  AnswerPtr Find(uint64_t hash, const QuestionView& question, int64_t now, bool first, Held* held)
      GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    Entry* const entry = Seek(hash, question);
    if (entry == nullptr || entry->until <= now) {
      if (entry != nullptr) Remove(*entry);
      if (first) ++misses_;
      return nullptr;
    }
    ++hits_;
    // Not written where it says so already: others may read it.
    if (!entry->used) entry->used = true;
    if (held != nullptr && entry->bytes <= Front::kMostBytes) {
      entry->in_fronts = true;
      held->entry = entry->Hold();
      held->version = version_.load(std::memory_order_relaxed);
    }
    return entry->answer;
  }

  void Insert(Entry::Ptr entry, const QuestionView& question, int64_t now) GH_EXCLUDES(mu_) {
    // What goes is destroyed without the lock.
    std::vector<Entry::Ptr> gone;
    MutexLock lock(mu_);
    if (Entry* const old = Seek(entry->hash, question); old != nullptr) {
      gone.push_back(Remove(*old));
    }
    if (entry->bytes > max_bytes_ || max_entries_ == 0) return;
    for (size_t i = 0; i < kLookedOver && !ring_.empty(); ++i) {
      if (Entry& one = *ring_[Step()]; one.until <= now) gone.push_back(Remove(one));
    }
    while (ring_.size() >= max_entries_ || bytes_ + entry->bytes > max_bytes_) {
      Entry& one = *ring_[Step()];
      if (!std::exchange(one.used, false)) gone.push_back(Remove(one));
    }
    Add(std::move(entry));
  }

  size_t Drop(const Tag& tag) GH_EXCLUDES(mu_) {
    std::vector<Entry::Ptr> gone;
    MutexLock lock(mu_);
    for (auto place = tagged_.find(tag); place != tagged_.end(); place = tagged_.find(tag)) {
      gone.push_back(Remove(*place->second->entry));
    }
    return gone.size();
  }

  size_t Clear() GH_EXCLUDES(mu_) {
    std::vector<Entry::Ptr> gone;
    MutexLock lock(mu_);
    Raise();
    gone.swap(ring_);
    tagged_.clear();
    std::fill(slots_.begin(), slots_.end(), nullptr);
    bytes_ = 0;
    hand_ = 0;
    return gone.size();
  }

  void AddTo(Counts& counts) const GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    counts.hits += hits_;
    counts.misses += misses_;
    counts.entries += ring_.size();
    counts.bytes += bytes_;
  }

 private:
  size_t Home(uint64_t hash) const GH_REQUIRES(mu_) { return hash & (slots_.size() - 1); }
  size_t Next(size_t slot) const GH_REQUIRES(mu_) { return (slot + 1) & (slots_.size() - 1); }

  Entry* Seek(uint64_t hash, const QuestionView& question) const GH_REQUIRES(mu_) {
    for (size_t slot = Home(hash); slots_[slot] != nullptr; slot = Next(slot)) {
      Entry& entry = *slots_[slot];
      if (entry.hash == hash && SameAsFlat(question, entry.question())) return &entry;
    }
    return nullptr;
  }

  // Where the hand stands; it goes on.
  size_t Step() GH_REQUIRES(mu_) {
    if (hand_ >= ring_.size()) hand_ = 0;
    return hand_++;
  }

  void Add(Entry::Ptr added) GH_REQUIRES(mu_) {
    Entry& entry = *added;
    entry.place = ring_.size();
    bytes_ += entry.bytes;
    ring_.push_back(std::move(added));
    if (ring_.size() * 2 > slots_.size()) {
      slots_.assign(slots_.size() * 2, nullptr);
      for (const auto& one : ring_) Place(*one);
    } else {
      Place(entry);
    }
    for (size_t i = 0; i < entry.links.size(); ++i) {
      Entry::Link& link = entry.links[i];
      link.entry = &entry;
      Entry::Link*& first = tagged_[entry.answer->facts->tags[i]];
      link.after = first;
      if (first != nullptr) first->before = &link;
      first = &link;
    }
  }

  void Place(Entry& entry) GH_REQUIRES(mu_) {
    size_t slot = Home(entry.hash);
    while (slots_[slot] != nullptr) slot = Next(slot);
    slots_[slot] = &entry;
  }

  void Raise() GH_REQUIRES(mu_) { version_.store(NewVersion(), std::memory_order_release); }

  Entry::Ptr Remove(Entry& entry) GH_REQUIRES(mu_) {
    if (entry.in_fronts) Raise();
    Unplace(entry);
    for (size_t i = 0; i < entry.links.size(); ++i) {
      const Entry::Link& link = entry.links[i];
      if (link.after != nullptr) link.after->before = link.before;
      if (link.before != nullptr) {
        link.before->after = link.after;
      } else if (link.after != nullptr) {
        tagged_[entry.answer->facts->tags[i]] = link.after;
      } else {
        tagged_.erase(entry.answer->facts->tags[i]);
      }
    }
    bytes_ -= entry.bytes;
    const size_t place = entry.place;
    Entry::Ptr removed = std::move(ring_[place]);
    if (place + 1 < ring_.size()) {
      ring_[place] = std::move(ring_.back());
      ring_[place]->place = place;
    }
    ring_.pop_back();
    return removed;
  }

  // Closes the gap, so that nobody's way from its home leads over an empty slot.
  void Unplace(const Entry& entry) GH_REQUIRES(mu_) {
    size_t gap = Home(entry.hash);
    while (slots_[gap] != &entry) gap = Next(gap);
    for (size_t slot = Next(gap); slots_[slot] != nullptr; slot = Next(slot)) {
      const size_t mask = slots_.size() - 1;
      const size_t from_home = (slot - Home(slots_[slot]->hash)) & mask;
      if (from_home >= ((slot - gap) & mask)) {
        slots_[gap] = slots_[slot];
        gap = slot;
      }
    }
    slots_[gap] = nullptr;
  }

  // What every look reads and few write.
  std::atomic<uint64_t> version_{NewVersion()};
  const size_t max_entries_;
  const size_t max_bytes_;
  // Open addressing; a power of two, at most half full.
  std::vector<Entry*> slots_ GH_GUARDED_BY(mu_);
  // What every look here writes, in another cache line: who finds it in a front reads
  // version_ alone.
  alignas(64) mutable Mutex mu_;
  uint64_t hits_ GH_GUARDED_BY(mu_) = 0;
  uint64_t misses_ GH_GUARDED_BY(mu_) = 0;
  // Owns the entries; the hand goes around it for one that was not used.
  std::vector<Entry::Ptr> ring_ GH_GUARDED_BY(mu_);
  size_t hand_ GH_GUARDED_BY(mu_) = 0;
  std::unordered_map<Tag, Entry::Link*, TagHash> tagged_ GH_GUARDED_BY(mu_);
  size_t bytes_ GH_GUARDED_BY(mu_) = 0;
};

Memory::Memory(size_t max_entries, size_t max_bytes, size_t parts) {
  if (parts == 0) parts = PartsFor(max_entries);
  parts_.reserve(parts);
  for (size_t i = 0; i < parts; ++i) {
    parts_.push_back(std::make_unique<Part>(max_entries / parts, max_bytes / parts));
  }
}

Memory::~Memory() = default;

AnswerPtr Memory::Find(uint64_t hash, const QuestionView& question, int64_t now, Look look) {
  Part& part = PartOf(hash);
  const bool first = look == Look::kFirst;
  Front* const front = Front::OfThisThread();
  if (front == nullptr) return part.Find(hash, question, now, first, nullptr);
  bool wanted = false;
  AnswerPtr found = front->Find(hash, part.version(), question, now, wanted);
  if (found != nullptr) {
    front_hits_[front->number() % kStripes].count.fetch_add(1, std::memory_order_relaxed);
    return found;
  }
  Held held;
  found = part.Find(hash, question, now, first, wanted ? &held : nullptr);
  if (held.entry != nullptr) front->Put(std::move(held.entry), held.version, now);
  return found;
}

void Memory::Insert(uint64_t hash, const QuestionView& question, const AnswerPtr& answer,
                    int64_t now, int64_t until) {
  PartOf(hash).Insert(Entry::Make(hash, question, answer, until), question, now);
}

size_t Memory::Drop(const Tag& tag) {
  size_t dropped = 0;
  for (const auto& part : parts_) dropped += part->Drop(tag);
  return dropped;
}

size_t Memory::Clear() {
  size_t dropped = 0;
  for (const auto& part : parts_) dropped += part->Clear();
  return dropped;
}

Memory::Counts Memory::counts() const {
  Counts counts;
  for (const Stripe& stripe : front_hits_) {
    counts.hits += stripe.count.load(std::memory_order_relaxed);
  }
  for (const auto& part : parts_) part->AddTo(counts);
  return counts;
}

}  // namespace gatehouse::client
