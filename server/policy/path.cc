#include "server/policy/path.h"

#include <array>

#include "absl/strings/ascii.h"
#include "server/base/status_macros.h"
#include "server/base/text.h"

namespace gatehouse::policy {
namespace {

absl::Status Refuse(absl::string_view why) { return absl::InvalidArgumentError(why); }

enum class Byte : unsigned char { kPlain, kEscape, kRefused };

constexpr bool IsControl(unsigned char c) { return c < 0x20 || c == 0x7F; }

constexpr std::array<Byte, 256> kBytes = [] {
  std::array<Byte, 256> bytes{};
  for (size_t c = 0; c < bytes.size(); ++c) {
    const auto byte = static_cast<unsigned char>(c);
    const bool refused =
        IsControl(byte) || c >= 0x80 || c == ' ' || c == '#' || c == ';' || c == '\\';
    bytes[c] = refused ? Byte::kRefused : c == '%' ? Byte::kEscape : Byte::kPlain;
  }
  return bytes;
}();

absl::Status RefuseByte(unsigned char c) {
  switch (c) {
    case ' ':
      return Refuse("the path has a space that is not escaped");
    case '#':
      return Refuse("the path has a '#'");
    case ';':
      return Refuse("the path has a ';'");
    case '\\':
      return Refuse("the path has a backslash");
    default:
      return IsControl(c) ? Refuse("the path has a control character")
                          : Refuse("the path has a byte beyond ASCII that is not escaped");
  }
}

absl::Status RefuseEscaped(unsigned char c) {
  switch (c) {
    case '/':
      return Refuse("the path has an escaped slash (%2f)");
    case '\\':
      return Refuse("the path has an escaped backslash (%5c)");
    case ';':
      return Refuse("the path has an escaped ';' (%3b)");
    case '?':
      return Refuse("the path has an escaped '?' (%3f)");
    case '#':
      return Refuse("the path has an escaped '#' (%23)");
    default:
      return IsControl(c) ? Refuse("the path has an escaped control character") : absl::OkStatus();
  }
}

int ValueOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// -1 if there are no two hexadecimal digits at `at`.
int HexAt(absl::string_view text, size_t at) {
  if (at + 2 > text.size()) return -1;
  const int high = ValueOf(text[at]);
  const int low = ValueOf(text[at + 1]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

absl::Status Decode(absl::string_view path, std::string& out) {
  out.clear();
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      out.push_back(path[i]);
      continue;
    }
    const int value = HexAt(path, i + 1);
    if (value < 0) return Refuse("the path has a '%' without two hexadecimal digits");
    GH_RETURN_IF_ERROR(RefuseEscaped(static_cast<unsigned char>(value)));
    out.push_back(static_cast<char>(value));
    i += 2;
  }
  return absl::OkStatus();
}

// Of a path with escapes, once they are decoded.
absl::Status CheckDecoded(absl::string_view text) {
  for (absl::string_view left = text; !left.empty();) {
    const size_t length = Utf8Length(left);
    if (length == 0) return Refuse("the path's escapes are not UTF-8");
    left.remove_prefix(length);
  }
  if (HasControlCharacter(text)) return Refuse("the path has an escaped control character");
  for (size_t at = text.find('%'); at != absl::string_view::npos; at = text.find('%', at + 1)) {
    if (HexAt(text, at + 1) >= 0) return Refuse("the path is escaped twice");
  }
  return absl::OkStatus();
}

absl::Status CheckQuery(absl::string_view query) {
  for (const char c : query) {
    const auto byte = static_cast<unsigned char>(c);
    if (IsControl(byte)) return Refuse("the query has a control character");
    if (c == ' ') return Refuse("the query has a space");
    if (c == '#') return Refuse("the query has a '#'");
  }
  return absl::OkStatus();
}

absl::Status CheckSegment(absl::string_view segment, bool is_last) {
  if (segment.empty()) return is_last ? absl::OkStatus() : Refuse("the path has an empty segment");
  if (segment == "." || segment == "..") return Refuse("the path has a dot segment");
  if (segment.back() == '.') return Refuse("the path has a segment that ends in a dot");
  if (segment.back() == ' ') return Refuse("the path has a segment that ends in a space");
  return absl::OkStatus();
}

// `whole` begins with '/'.
absl::Status Split(absl::string_view whole, Path::Segments& out) {
  for (size_t from = 1; from != 0;) {
    const size_t slash = whole.find('/', from);
    const bool is_last = slash == absl::string_view::npos;
    const absl::string_view segment = whole.substr(from, is_last ? slash : slash - from);
    GH_RETURN_IF_ERROR(CheckSegment(segment, is_last));
    if (out.size() == Path::kMaxSegments) return Refuse("the path has more than 64 segments");
    out.push_back(segment);
    from = is_last ? 0 : slash + 1;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Path::Read(absl::string_view target) {
  // Not clear(), which would free it.
  segments_.resize(0);
  whole_ = {};
  if (target.empty()) return Refuse("the path is empty");
  if (target.front() != '/') return Refuse("the path does not begin with '/'");
  if (target.size() > kMaxBytes) return Refuse("the path is longer than 8 KiB");
  const size_t mark = target.find('?');
  const absl::string_view path = target.substr(0, mark);
  bool escaped = false;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (kBytes[byte] == Byte::kRefused) return RefuseByte(byte);
    escaped |= kBytes[byte] == Byte::kEscape;
  }
  if (mark != absl::string_view::npos) GH_RETURN_IF_ERROR(CheckQuery(target.substr(mark + 1)));
  if (escaped) {
    GH_RETURN_IF_ERROR(Decode(path, decoded_));
    GH_RETURN_IF_ERROR(CheckDecoded(decoded_));
  }
  const absl::string_view whole = escaped ? absl::string_view(decoded_) : path;
  absl::Status split = Split(whole, segments_);
  if (!split.ok()) {
    segments_.resize(0);
    return split;
  }
  whole_ = whole;
  return absl::OkStatus();
}

absl::string_view Path::Rest(size_t first) const {
  if (first >= segments_.size()) return {};
  return whole_.substr(static_cast<size_t>(segments_[first].data() - whole_.data()));
}

}  // namespace gatehouse::policy
