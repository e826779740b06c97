#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace gatehouse {

// Writes JSON (RFC 8259), value by value, to the end of a text: without white space,
// so that an object is one line. Whoever calls keeps the order that JSON needs: in an
// object a Key() before each value. Commas are put here. For one thread.
class JsonWriter {
 public:
  // `out` outlives the writer.
  explicit JsonWriter(std::string& out) : out_(out), begin_(out.size()) {}

  void BeginObject() { Open('{'); }
  void EndObject() { out_ += '}'; }
  void BeginArray() { Open('['); }
  void EndArray() { out_ += ']'; }
  void Key(absl::string_view name);

  // Any bytes. What drives a display is escaped; a byte that is no UTF-8 becomes
  // U+FFFD, and lossless() is false from then on.
  void String(absl::string_view text);
  void Int(int64_t value);
  void Bool(bool value);
  void Null();

  // A member of an object at once.
  void Member(absl::string_view name, absl::string_view text);

  bool lossless() const { return lossless_; }

 private:
  void Separate();
  void Open(char bracket);
  void Quote(absl::string_view text);

  std::string& out_;
  const size_t begin_;
  bool lossless_ = true;
};

}  // namespace gatehouse
