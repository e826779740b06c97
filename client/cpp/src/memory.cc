#include "client/cpp/src/memory.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

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

}  // namespace

struct Memory::Entry {
  // An entry among those with one tag.
  struct Link {
    Entry* entry = nullptr;
    Link* before = nullptr;
    Link* after = nullptr;
  };
  struct Delete {
    void operator()(Entry* entry) const {
      entry->~Entry();
      ::operator delete(entry);
    }
  };
  using Ptr = std::unique_ptr<Entry, Delete>;

  // The question stands behind the entry, in the same piece of memory: a hit touches few
  // cache lines, and those one behind the other.
  static Ptr Make(uint64_t hash, const QuestionView& question, AnswerPtr answer, int64_t until) {
    const std::string flat = Flatten(question);
    void* const place = ::operator new(sizeof(Entry) + flat.size());
    Ptr entry(new (place) Entry(hash, std::move(answer), until, flat.size()));
    std::memcpy(entry->question(), flat.data(), flat.size());
    return entry;
  }

  char* question() { return reinterpret_cast<char*>(this + 1); }

  const uint64_t hash;
  const int64_t until;
  const AnswerPtr answer;
  // Since the hand has passed.
  bool used = true;
  // In the ring.
  size_t place = 0;
  size_t bytes = 0;
  std::vector<Link> links;

 private:
  Entry(uint64_t hash_of, AnswerPtr data, int64_t ends, size_t flat)
      : hash(hash_of), until(ends), answer(std::move(data)) {
    links = std::vector<Link>(answer->facts->tags.size());
    bytes = sizeof(Entry) + flat + client::BytesOf(*answer) +
            links.size() * (sizeof(Link) + sizeof(Tag) + 32);
  }
};

class alignas(64) Memory::Part {
 public:
  Part(size_t max_entries, size_t max_bytes)
      : max_entries_(max_entries), max_bytes_(max_bytes), slots_(16, nullptr) {}

  AnswerPtr Find(uint64_t hash, const QuestionView& question, int64_t now, bool first)
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

  Entry::Ptr Remove(Entry& entry) GH_REQUIRES(mu_) {
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

  const size_t max_entries_;
  const size_t max_bytes_;
  mutable Mutex mu_;
  // Open addressing; a power of two, at most half full.
  std::vector<Entry*> slots_ GH_GUARDED_BY(mu_);
  // Owns the entries; the hand goes around it for one that was not used.
  std::vector<Entry::Ptr> ring_ GH_GUARDED_BY(mu_);
  size_t hand_ GH_GUARDED_BY(mu_) = 0;
  std::unordered_map<Tag, Entry::Link*, TagHash> tagged_ GH_GUARDED_BY(mu_);
  size_t bytes_ GH_GUARDED_BY(mu_) = 0;
  uint64_t hits_ GH_GUARDED_BY(mu_) = 0;
  uint64_t misses_ GH_GUARDED_BY(mu_) = 0;
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
  return PartOf(hash).Find(hash, question, now, look == Look::kFirst);
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
  for (const auto& part : parts_) part->AddTo(counts);
  return counts;
}

}  // namespace gatehouse::client
