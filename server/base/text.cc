#include "server/base/text.h"

namespace gatehouse {
namespace {

// Whether all of it is printable ASCII. Without a way out of the loop, so that the compiler
// looks at many bytes at once: nearly every text of every request comes through here.
bool IsPlain(absl::string_view text) {
  unsigned char other = 0;
  for (const char c : text) {
    const bool is_other = static_cast<unsigned char>(c - 0x20) >= 0x5F;
    other = static_cast<unsigned char>(other | static_cast<unsigned char>(is_other));
  }
  return other == 0;
}

}  // namespace

bool HasControlCharacter(absl::string_view text) {
  if (IsPlain(text)) return false;
  bool after_c2 = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || (after_c2 && byte < 0xA0)) return true;
    after_c2 = byte == 0xC2;
  }
  return false;
}

size_t Utf8Length(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char c = byte(0);
  if (c < 0x80) return 1;
  if (c >= 0xC2 && c <= 0xDF && tail(1)) return 2;
  if (c >= 0xE0 && c <= 0xEF && tail(1) && tail(2)) {
    if (c == 0xE0 && byte(1) < 0xA0) return 0;
    if (c == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (c >= 0xF0 && c <= 0xF4 && tail(1) && tail(2) && tail(3)) {
    if (c == 0xF0 && byte(1) < 0x90) return 0;
    if (c == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

bool DrivesDisplay(absl::string_view c) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(c[i]); };
  if (c.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7F;
  if (c.size() == 2) return (byte(0) == 0xC2 && byte(1) < 0xA0) || c == "\u061C";
  // U+2028/9 end lines for some readers. The others, Unicode's Bidi_Control, would let
  // a value reorder the rest of its line on the screen.
  return c.size() == 3 && (c == "\u200E" || c == "\u200F" || (c >= "\u2028" && c <= "\u202E") ||
                           (c >= "\u2066" && c <= "\u2069"));
}

}  // namespace gatehouse
