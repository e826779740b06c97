#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

namespace gatehouse::frontend {

// Writes a protobuf message from its end to its begin, so that the length of each message
// within is known when it is written. Keeps its memory. For one thread.
class BackwardWriter {
 public:
  void Clear() { begin_ = bytes_.size(); }

  // A field of bytes, or of text.
  void Bytes(int number, absl::string_view value);
  void Varint(int number, uint64_t value);

  // How much has been written: the end of a message that begins later.
  size_t size() const { return bytes_.size() - begin_; }
  // All that was written since `end` is a message, and a field.
  void Message(int number, size_t end);

  // Until the next change.
  absl::string_view view() const {
    return {reinterpret_cast<const char*>(bytes_.data()) + begin_, size()};
  }

 private:
  // A place for `size` bytes before what has been written.
  uint8_t* Take(size_t size) {
    if (size > begin_) Grow(size);
    begin_ -= size;
    return bytes_.data() + begin_;
  }
  void Grow(size_t size);
  // What stands before a field of `length` bytes.
  void Head(int number, size_t length);
  void RawVarint(uint64_t value);
  void Key(int number, int type);

  std::vector<uint8_t> bytes_ = std::vector<uint8_t>(size_t{4} * 1024);
  size_t begin_ = bytes_.size();
};

}  // namespace gatehouse::frontend
