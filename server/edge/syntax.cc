#include "server/edge/syntax.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"

namespace gatehouse::edge {
namespace {

constexpr size_t kMaxMethod = 20;
constexpr size_t kMaxHost = 255;  // DNS has no longer ones

bool IsPort(absl::string_view port) {
  constexpr size_t kMaxDigits = 5;
  return !port.empty() && port.size() <= kMaxDigits &&
         std::all_of(port.begin(), port.end(), absl::ascii_isdigit);
}

// Takes the port off the end. False if what follows the name is none.
bool CutPort(absl::string_view& host) {
  const bool is_address = !host.empty() && host[0] == '[';
  const size_t name_ends = is_address ? host.find(']') : 0;
  if (name_ends == absl::string_view::npos) return false;
  const size_t colon = host.find(':', name_ends);
  if (is_address && name_ends + 1 != std::min(colon, host.size())) return false;
  if (colon == absl::string_view::npos) return true;
  if (!IsPort(host.substr(colon + 1))) return false;
  host = host.substr(0, colon);
  return true;
}

bool IsAddressByte(char c) {
  return absl::ascii_isxdigit(static_cast<unsigned char>(c)) || c == ':' || c == '.';
}

bool IsNameByte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_';
}

bool IsAddress(absl::string_view host) {
  const absl::string_view inside = host.substr(1, host.size() - 2);
  return !inside.empty() && std::all_of(inside.begin(), inside.end(), IsAddressByte);
}

bool IsName(absl::string_view host) {
  return !host.empty() && host.front() != '.' && host.back() != '.' &&
         host.find("..") == absl::string_view::npos &&
         std::all_of(host.begin(), host.end(), IsNameByte);
}

}  // namespace

bool IsMethod(absl::string_view method) {
  return !method.empty() && method.size() <= kMaxMethod &&
         std::all_of(method.begin(), method.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool ReadHost(absl::string_view sent, std::string& host) {
  if (sent.size() > kMaxHost || !CutPort(sent) || sent.empty()) return false;
  if (sent.front() == '[') {
    if (!IsAddress(sent)) return false;
  } else {
    if (sent.back() == '.') sent.remove_suffix(1);
    if (!IsName(sent)) return false;
  }
  host.assign(sent.data(), sent.size());
  absl::AsciiStrToLower(&host);
  return true;
}

}  // namespace gatehouse::edge
