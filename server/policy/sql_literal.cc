#include "server/policy/sql_literal.h"

#include <simdjson.h>

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace gatehouse::policy {
namespace {

// Takes one character off `text`, which is UTF-8.
uint32_t Next(absl::string_view& text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint32_t character = size == 1 ? lead : lead & (0x7FU >> size);
  for (size_t i = 1; i < size; ++i) {
    character = character << 6U | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  text.remove_prefix(size);
  return character;
}

}  // namespace

absl::StatusOr<std::string> PostgresLiteral(absl::string_view text) {
  if (text.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError("a text with NUL has no form in PostgreSQL");
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return absl::InvalidArgumentError("a text that is no UTF-8 has no form in PostgreSQL");
  }
  std::string body;
  bool has_escapes = false;
  while (!text.empty()) {
    const uint32_t character = Next(text);
    if (character == '\'') {
      body += "''";
    } else if (character == '\\') {
      body += "\\\\";
      has_escapes = true;
    } else if (character >= 0x20 && character < 0x7F) {
      body += static_cast<char>(character);
    } else {
      body += character <= 0xFFFF ? absl::StrFormat("\\u%04X", character)
                                  : absl::StrFormat("\\U%08X", character);
      has_escapes = true;
    }
  }
  return absl::StrCat(has_escapes ? "E'" : "'", body, "'");
}

}  // namespace gatehouse::policy
