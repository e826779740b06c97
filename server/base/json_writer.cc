#include "server/base/json_writer.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/text.h"

namespace gatehouse {
namespace {

// Of a well-formed sequence of three bytes at most: all that is escaped is.
uint32_t CodePoint(absl::string_view c) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(c[i])); };
  if (c.size() == 1) return byte(0);
  if (c.size() == 2) return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
  return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
}

}  // namespace

// A value ends with none of these, a string's content always with a quotation mark.
void JsonWriter::Separate() {
  if (out_.size() == begin_) return;
  const char last = out_.back();
  if (last != '{' && last != '[' && last != ':') out_ += ',';
}

void JsonWriter::Open(char bracket) {
  Separate();
  out_ += bracket;
}

void JsonWriter::Key(absl::string_view name) {
  String(name);
  out_ += ':';
}

void JsonWriter::String(absl::string_view text) {
  Separate();
  out_ += '"';
  Quote(text);
  out_ += '"';
}

void JsonWriter::Quote(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const absl::string_view c = text.substr(0, length == 0 ? 1 : length);
    if (length == 0) {
      out_ += "\\ufffd";
      lossless_ = false;
    } else if (c == "\"" || c == "\\") {
      absl::StrAppend(&out_, "\\", c);
    } else if (DrivesDisplay(c)) {
      absl::StrAppendFormat(&out_, "\\u%04x", CodePoint(c));
    } else {
      out_.append(c.data(), c.size());
    }
    text.remove_prefix(c.size());
  }
}

void JsonWriter::Int(int64_t value) {
  Separate();
  absl::StrAppend(&out_, value);
}

void JsonWriter::Bool(bool value) {
  Separate();
  out_ += value ? "true" : "false";
}

void JsonWriter::Null() {
  Separate();
  out_ += "null";
}

void JsonWriter::Member(absl::string_view name, absl::string_view text) {
  Key(name);
  String(text);
}

}  // namespace gatehouse
