#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/src/answer.h"
#include "client/cpp/src/question_key.h"

namespace gatehouse::client {

// A question and its answer in a Memory. The question stands behind the entry, in the same
// piece of memory: a hit touches few cache lines, and those one behind the other.
// Held by its part, and by fronts: destroyed by the last of them, on any thread. What is
// const, and the question, may be read by all who hold it; the rest belongs to the part.
struct Entry {
  // An entry among those with one tag.
  struct Link {
    Entry* entry = nullptr;
    Link* before = nullptr;
    Link* after = nullptr;
  };
  struct Release {
    void operator()(Entry* entry) const {
      if (entry->holders.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
      entry->~Entry();
      ::operator delete(entry);
    }
  };
  // One of its holders.
  using Ptr = std::unique_ptr<Entry, Release>;

  static Ptr Make(uint64_t hash, const QuestionView& question, AnswerPtr answer, int64_t until) {
    const std::string flat = Flatten(question);
    void* const place = ::operator new(sizeof(Entry) + flat.size());
    Ptr entry(new (place) Entry(hash, std::move(answer), until, flat.size()));
    std::memcpy(entry->question(), flat.data(), flat.size());
    return entry;
  }

  // Only by one who holds it, or under the lock of the part that does.
  Ptr Hold() {
    holders.fetch_add(1, std::memory_order_relaxed);
    return Ptr(this);
  }

  char* question() { return reinterpret_cast<char*>(this + 1); }

  const uint64_t hash;
  const int64_t until;
  const AnswerPtr answer;
  const size_t bytes;
  std::atomic<uint32_t> holders{1};

  // Since the hand has passed.
  bool used = true;
  // A front has held it since it was inserted.
  bool in_fronts = false;
  // In the ring.
  size_t place = 0;
  std::vector<Link> links;

 private:
  Entry(uint64_t hash_of, AnswerPtr data, int64_t ends, size_t flat)
      : hash(hash_of),
        until(ends),
        answer(std::move(data)),
        bytes(sizeof(Entry) + flat + BytesOf(*answer) +
              answer->facts->tags.size() * (sizeof(Link) + sizeof(Tag) + 32)),
        links(answer->facts->tags.size()) {}
};

}  // namespace gatehouse::client
