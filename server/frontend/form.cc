#include "server/frontend/form.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"

namespace gatehouse::frontend {

namespace {

constexpr size_t kMaxParameters = 64;

}  // namespace

std::optional<std::string> FormDecode(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const absl::string_view digits = text.substr(i + 1, 2);
    if (digits.size() != 2 || !absl::ascii_isxdigit(static_cast<unsigned char>(digits[0])) ||
        !absl::ascii_isxdigit(static_cast<unsigned char>(digits[1]))) {
      return std::nullopt;
    }
    out += absl::HexStringToBytes(digits);
    i += 2;
  }
  return out;
}

std::optional<std::vector<std::pair<std::string, std::string>>> ParseForm(absl::string_view body) {
  std::vector<std::pair<std::string, std::string>> out;
  std::set<std::string> names;
  for (const absl::string_view piece : absl::StrSplit(body, '&', absl::SkipEmpty())) {
    const size_t equals = std::min(piece.find('='), piece.size());
    auto name = FormDecode(piece.substr(0, equals));
    auto value = FormDecode(piece.substr(std::min(equals + 1, piece.size())));
    if (!name.has_value() || !value.has_value() || !names.insert(*name).second ||
        out.size() == kMaxParameters) {
      return std::nullopt;
    }
    out.emplace_back(*std::move(name), *std::move(value));
  }
  return out;
}

}  // namespace gatehouse::frontend
