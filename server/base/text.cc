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

}  // namespace gatehouse
