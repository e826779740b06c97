#include "server/frontend/http_head.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace gatehouse::frontend {
namespace {

constexpr int kMaxFields = 256;

bool IsTokenByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::string_view("!#$%&'*+-.^_`|~").find(c) != absl::string_view::npos;
}

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenByte);
}

bool IsVisible(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
}

bool IsRequestLine(absl::string_view line) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == absl::string_view::npos || first == last) return false;
  const absl::string_view version = line.substr(last + 1);
  return IsToken(line.substr(0, first)) && IsVisible(line.substr(first + 1, last - first - 1)) &&
         (version == "HTTP/1.1" || version == "HTTP/1.0");
}

bool IsField(absl::string_view line) {
  const size_t colon = line.find(':');
  return colon != absl::string_view::npos && IsToken(line.substr(0, colon));
}

// In a line or a part of one.
bool HasForbiddenByte(absl::string_view line) {
  return std::any_of(line.begin(), line.end(), [](char c) {
    return c != '\t' && absl::ascii_iscntrl(static_cast<unsigned char>(c));
  });
}

}  // namespace

bool HttpHeadScan::IsRight(absl::string_view line) const {
  if (lines_ == 0) return IsRequestLine(line);
  return lines_ <= kMaxFields && IsField(line);
}

HttpHeadScan::State HttpHeadScan::Look(absl::string_view bytes) {
  while (true) {
    const size_t end = bytes.find('\r', seen_);
    if (HasForbiddenByte(bytes.substr(seen_, end - seen_))) return State::kBad;
    seen_ = std::min(end, bytes.size());
    if (seen_ + 1 >= bytes.size()) return State::kMore;
    if (bytes[seen_ + 1] != '\n') return State::kBad;
    const absl::string_view line = bytes.substr(line_, seen_ - line_);
    line_ = seen_ = seen_ + 2;
    if (lines_ > 0 && line.empty()) return State::kWhole;
    if (!IsRight(line)) return State::kBad;
    ++lines_;
  }
}

}  // namespace gatehouse::frontend
