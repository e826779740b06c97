#include "server/config/origin.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"
#include "server/keys/url.h"

namespace gatehouse::config {
namespace {

struct Origin {
  absl::string_view scheme;
  absl::string_view host;  // with the brackets of an IPv6 address
  absl::string_view port;  // with the colon; empty: the scheme's own
};

// Nothing is looked at but where the parts begin.
Origin Split(absl::string_view text) {
  Origin out;
  const size_t mark = text.find("://");
  if (mark == absl::string_view::npos) return out;
  out.scheme = text.substr(0, mark);
  out.host = text.substr(mark + 3);
  const size_t colon = out.host.rfind(':');
  const size_t bracket = out.host.rfind(']');
  if (colon == absl::string_view::npos || (bracket != absl::string_view::npos && colon < bracket)) {
    return out;
  }
  out.port = out.host.substr(colon);
  out.host = out.host.substr(0, colon);
  return out;
}

bool IsHost(absl::string_view host) {
  if (absl::ConsumePrefix(&host, "[")) {
    return absl::ConsumeSuffix(&host, "]") && !host.empty() &&
           host.find_first_not_of("0123456789abcdef:.") == absl::string_view::npos;
  }
  return !host.empty() && host.front() != '.' && host.front() != '-' && host.back() != '.' &&
         !absl::StrContains(host, "..") && std::all_of(host.begin(), host.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return absl::ascii_islower(byte) || absl::ascii_isdigit(byte) || c == '.' || c == '-' ||
                  c == '_';
         });
}

bool IsPort(absl::string_view port) {
  int64_t number = 0;
  return absl::ConsumePrefix(&port, ":") && !port.empty() && port.size() <= 5 &&
         port.front() != '0' && std::all_of(port.begin(), port.end(), absl::ascii_isdigit) &&
         absl::SimpleAtoi(port, &number) && number <= UINT16_MAX;
}

}  // namespace

std::string WhyNoOrigin(absl::string_view text) {
  const std::string quoted = absl::StrCat("\"", log::Escape(text, 128), "\"");
  if (text == "null") return "\"null\" is the origin of pages that anybody can make";
  if (absl::StrContains(text, '*')) return quoted + " is no origin: name each, without '*'";
  if (absl::AsciiStrToLower(text) != text) return quoted + " must be in lower case";
  const Origin origin = Split(text);
  const bool is_web = origin.scheme == "https" || origin.scheme == "http";
  if (is_web && absl::StrContains(origin.host, '/')) {
    return quoted + " must end with the host or its port, without a path or '/'";
  }
  if (!is_web || !IsHost(origin.host) || (!origin.port.empty() && !IsPort(origin.port))) {
    return quoted + " is no origin: write \"https://app.example.com\"";
  }
  if (origin.port == (origin.scheme == "https" ? ":443" : ":80")) {
    return absl::StrCat(quoted, " has the port that browsers leave out: leave out ", origin.port);
  }
  return "";
}

bool IsPlaintextOrigin(absl::string_view text) {
  const Origin origin = Split(text);
  absl::string_view host = origin.host;
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return origin.scheme == "http" && !keys::IsLoopbackHost(host);
}

}  // namespace gatehouse::config
