#include "server/config/endpoint.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/keys/url.h"

namespace gatehouse::config {

std::string Endpoint::ToString() const {
  if (!unix_path.empty()) return absl::StrCat("unix:", unix_path);
  if (host.find(':') != std::string::npos) return absl::StrCat("[", host, "]:", port);
  return absl::StrCat(host, ":", port);
}

bool Endpoint::IsLocal() const { return !unix_path.empty() || keys::IsLoopbackHost(host); }

absl::StatusOr<Endpoint> ParseEndpoint(absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) {
    return absl::InvalidArgumentError("must be \"host:port\"; the port is missing");
  }
  absl::string_view host = text.substr(0, colon);
  const absl::string_view digits = text.substr(colon + 1);
  uint32_t port = 0;
  const bool is_number = !digits.empty() && digits.size() <= 5 &&
                         std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit);
  if (!is_number || !absl::SimpleAtoi(digits, &port) || port > 65535) {
    return absl::InvalidArgumentError("must be \"host:port\" with a port from 0 to 65535");
  }
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[]") != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        "must be \"host:port\", an IPv6 address in brackets: \"[::1]:7070\"");
  }
  if (host.empty()) return absl::InvalidArgumentError("must be \"host:port\"; the host is missing");
  return Endpoint{.host = std::string(host), .port = static_cast<uint16_t>(port)};
}

absl::StatusOr<Endpoint> ParseSocketEndpoint(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, "unix:")) return ParseEndpoint(text);
  // The kernel holds 107 bytes, and a server binds its socket under a longer name first.
  constexpr size_t kMaxPath = 98;
  const bool is_path = absl::StartsWith(text, "/") && text.back() != '/';
  if (!is_path || text.size() > kMaxPath || text.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        "must be \"unix:\" and the absolute path of a socket, ", kMaxPath, " bytes at most"));
  }
  return Endpoint{.unix_path = std::string(text)};
}

}  // namespace gatehouse::config
