#include "server/revocation/tag_table.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace gatehouse::revocation {
namespace {

constexpr size_t kLeastTags = 1024;
// With fewer tags than one in so many slots the table shrinks.
constexpr size_t kSparse = 8;
// The first word of a slot; a tag's own is never one of these.
constexpr uint64_t kFree = 0;
constexpr uint64_t kTakenOut = ~uint64_t{0};

}  // namespace

struct TagTable::Slot {
  std::atomic<uint64_t> first;
  std::atomic<uint64_t> second;
  std::atomic<uint64_t> marks;
};

namespace {

static_assert(std::atomic<uint64_t>::is_always_lock_free);

struct Words {
  uint64_t first;
  uint64_t second;
};

// The two lowest and the two highest first words are taken for one each, which makes tags
// no more equal than parts of a SHA-256 are by chance. The first word has its highest byte
// first, as tags are compared: told in that order, they fill an array from front to back.
Words WordsOf(const Tag& tag) {
  Words words;
  std::memcpy(&words.first, tag.bytes.data(), sizeof(words.first));
  std::memcpy(&words.second, tag.bytes.data() + sizeof(words.first), sizeof(words.second));
  if constexpr (std::endian::native == std::endian::little) {
    words.first = __builtin_bswap64(words.first);
  }
  words.first = std::clamp(words.first, kFree + 1, kTakenOut - 1);
  return words;
}

// Six in ten taken, so that there is room for a third more until the next move.
size_t SlotsFor(size_t tags) { return (std::max(tags, kLeastTags) + 5) / 6 * 10; }
size_t MostUsed(size_t slots) { return slots / 5 * 4; }

uint64_t Pack(Marks marks) {
  return uint64_t{marks.issued_until} << 32 | uint64_t{marks.suspended_until};
}
Marks Unpack(uint64_t word) {
  return {.issued_until = static_cast<uint32_t>(word >> 32),
          .suspended_until = static_cast<uint32_t>(word)};
}

}  // namespace

// Linear probing, in memory of its own so that it can be given back while it is read.
class TagTable::Array {
 public:
  explicit Array(size_t slots) : slots_(slots) {
    static_assert(sizeof(Slot) == 24);
    void* const memory = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    first_ = static_cast<Slot*>(memory);  // zeros: all are free
  }
  ~Array() { munmap(first_, bytes()); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  size_t bytes() const { return slots_ * sizeof(Slot); }
  size_t slots() const { return slots_; }
  Slot* begin() const { return first_; }
  Slot* end() const { return first_ + slots_; }

  // The slot of the tag, with true; or the free one where it would have to be.
  std::pair<Slot*, bool> Find(const Words& words) const {
    // The tag is a hash: its high bits say where in the array.
    auto at = static_cast<size_t>((static_cast<unsigned __int128>(words.first) * slots_) >> 64);
    while (true) {
      Slot& slot = first_[at];
      const uint64_t first = slot.first.load(std::memory_order_acquire);
      if (first == kFree) return {&slot, false};
      if (first == words.first && slot.second.load(std::memory_order_relaxed) == words.second) {
        return {&slot, true};
      }
      if (++at == slots_) at = 0;
    }
  }

  // A mapping in place of the old one: also its page tables are given back. The call
  // itself, since ThreadSanitizer's takes it for a write to what readers may be reading.
  void GiveBack() {
    if (syscall(SYS_mmap, first_, bytes(), PROT_READ,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == -1) {
      madvise(first_, bytes(), MADV_DONTNEED);
    }
  }

 private:
  const size_t slots_;
  Slot* first_;
};

TagTable::TagTable() { MoveTo(0); }
TagTable::~TagTable() = default;

Marks TagTable::Find(const Tag& tag) const {
  const Words words = WordsOf(tag);
  while (true) {
    const Array* const array = current_.load(std::memory_order_acquire);
    const auto [slot, is_there] = array->Find(words);
    const Marks marks = is_there ? Unpack(slot->marks.load(std::memory_order_acquire)) : Marks();
    // An array is given back after it was replaced: whoever read the emptiness left behind
    // sees here that it was.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (current_.load(std::memory_order_relaxed) == array) return marks;
  }
}

bool TagTable::Refuses(const TokenTags& token, int64_t now) const {
  return std::any_of(token.tags.begin(), token.tags.end(),
                     [&](const Tag& tag) { return Find(tag).Refuse(token.issued_at, now); });
}

void TagTable::Set(const Tag& tag, Marks marks) {
  const Words words = WordsOf(tag);
  auto [slot, is_there] = arrays_.back()->Find(words);
  if (is_there && !marks.empty()) {
    return slot->marks.store(Pack(marks), std::memory_order_release);
  }
  if (is_there) return TakeOut(*slot);
  if (marks.empty()) return;
  // A free slot must be left: there a search for what is not in the table ends.
  if (used_ + 1 > MostUsed(arrays_.back()->slots())) {
    MoveTo(size() + 1);
    slot = arrays_.back()->Find(words).first;
  }
  slot->second.store(words.second, std::memory_order_relaxed);
  slot->marks.store(Pack(marks), std::memory_order_relaxed);
  slot->first.store(words.first, std::memory_order_release);
  ++used_;
  size_.fetch_add(1, std::memory_order_relaxed);
}

void TagTable::TakeOut(Slot& slot) {
  slot.marks.store(0, std::memory_order_relaxed);
  // Not free again: others may lie behind it.
  slot.first.store(kTakenOut, std::memory_order_release);
  const size_t left = size_.fetch_sub(1, std::memory_order_relaxed) - 1;
  if (left < arrays_.back()->slots() / kSparse && arrays_.back()->slots() > SlotsFor(0)) {
    MoveTo(left);
  }
}

void TagTable::Reserve(size_t tags) {
  if (tags > MostUsed(arrays_.back()->slots())) MoveTo(tags);
}

void TagTable::MoveTo(size_t tags) {
  auto next = std::make_unique<Array>(SlotsFor(tags));
  size_t used = 0;
  if (!arrays_.empty()) {
    for (const Slot& from : *arrays_.back()) {
      const Words words{from.first.load(std::memory_order_relaxed),
                        from.second.load(std::memory_order_relaxed)};
      if (words.first == kFree || words.first == kTakenOut) continue;
      Slot& to = *next->Find(words).first;
      to.first.store(words.first, std::memory_order_relaxed);
      to.second.store(words.second, std::memory_order_relaxed);
      to.marks.store(from.marks.load(std::memory_order_relaxed), std::memory_order_relaxed);
      ++used;
    }
  }
  used_ = used;
  bytes_.store(next->bytes(), std::memory_order_relaxed);
  current_.store(next.get(), std::memory_order_release);
  if (!arrays_.empty()) arrays_.back()->GiveBack();
  arrays_.push_back(std::move(next));
}

}  // namespace gatehouse::revocation
