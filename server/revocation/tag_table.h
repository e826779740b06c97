#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "server/revocation/marks.h"
#include "server/revocation/tag.h"

namespace gatehouse::revocation {

// Marks by tag, 24 bytes a slot. Readers take no lock and wait for nobody; one thread at
// a time writes.
//
// A slot belongs to one tag for as long as its array lives. When an array is full the
// writer fills a new one and switches over. The old one's memory goes back to the machine
// at once but its addresses stay, and read as empty: a reader who is still in it comes to
// no harm, sees that it was replaced, and looks again.
class TagTable {
 public:
  TagTable();
  ~TagTable();
  TagTable(const TagTable&) = delete;
  TagTable& operator=(const TagTable&) = delete;

  // Any thread. What is in force on `tag` at some moment of the call; what was set before
  // it is seen.
  Marks Find(const Tag& tag) const;
  // Whether one of the tags refuses the token; `now` in seconds since 1970.
  bool Refuses(const TokenTags& token, int64_t now) const;

  // For the writer. Empty marks take the tag out.
  void Set(const Tag& tag, Marks marks);
  // For the writer: room for so many tags without growing on the way.
  void Reserve(size_t tags);

  // Any thread.
  size_t size() const { return size_.load(std::memory_order_relaxed); }
  // Of memory in use for slots.
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Slot;
  class Array;

  void TakeOut(Slot& slot);
  // Into a new array with room for `tags`.
  void MoveTo(size_t tags);

  std::atomic<const Array*> current_;
  std::atomic<size_t> size_ = 0;
  std::atomic<size_t> bytes_ = 0;
  size_t used_ = 0;  // slots that have a tag, or had one
  // All that were ever current; the last one is.
  std::vector<std::unique_ptr<Array>> arrays_;
};

}  // namespace gatehouse::revocation
