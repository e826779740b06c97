#include "client/cpp/src/text.h"

#include <algorithm>
#include <cstdint>

namespace gatehouse::client {
namespace {

constexpr size_t kLongest = 400;

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool Consume(std::string_view& text, std::string_view prefix) {
  if (!StartsWith(text, prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Bytes that follow the first one of a sequence; -1 where none begins so.
int Following(unsigned char first) {
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first < 0xe0) return 1;
  if (first >= 0xe0 && first < 0xf0) return 2;
  if (first >= 0xf0 && first < 0xf5) return 3;
  return -1;
}

// Whether the second byte makes the first no overlong form, surrogate or beyond Unicode.
bool Fits(unsigned char first, unsigned char second) {
  if (first == 0xe0) return second >= 0xa0;
  if (first == 0xed) return second < 0xa0;
  if (first == 0xf0) return second >= 0x90;
  if (first == 0xf4) return second < 0x90;
  return true;
}

bool IsDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool IsLoopbackHost(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  if (!StartsWith(host, "127.")) return false;
  return std::all_of(host.begin(), host.end(),
                     [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

// "host:port" or "[v6]:port" in its parts; false for anything else.
bool SplitAddress(std::string_view address, std::string_view& host, std::string_view& port) {
  if (Consume(address, "[")) {
    const size_t end = address.find("]:");
    if (end == std::string_view::npos) return false;
    host = address.substr(0, end);
    port = address.substr(end + 2);
    return true;
  }
  const size_t colon = address.find(':');
  if (colon == std::string_view::npos || address.find(':', colon + 1) != std::string_view::npos) {
    return false;
  }
  host = address.substr(0, colon);
  port = address.substr(colon + 1);
  return true;
}

// Takes what stands before the address.
void ConsumeDns(std::string_view& target) {
  if (!Consume(target, "dns:")) return;
  if (!Consume(target, "//")) return;
  const size_t slash = target.find('/');
  target.remove_prefix(slash == std::string_view::npos ? target.size() : slash + 1);
}

}  // namespace

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    const int following = Following(first);
    if (following < 0 || text.size() - i <= static_cast<size_t>(following)) return false;
    for (int k = 1; k <= following; ++k) {
      const auto next = static_cast<unsigned char>(text[++i]);
      if ((next & 0xc0) != 0x80 || (k == 1 && !Fits(first, next))) return false;
    }
  }
  return true;
}

std::string Printable(std::string_view text) {
  std::string out(text.substr(0, kLongest));
  if (out.size() < text.size()) out += "...";
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return out;
}

bool IsOnThisMachine(std::string_view target) {
  if (StartsWith(target, "unix:") || StartsWith(target, "unix-abstract:")) return true;
  ConsumeDns(target);
  std::string_view host;
  std::string_view port;
  return SplitAddress(target, host, port) && IsLoopbackHost(host);
}

std::optional<std::string> WrongTarget(std::string_view target) {
  if (target.empty()) return "is not set";
  if (std::any_of(target.begin(), target.end(), [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f;
      })) {
    return "has white space or other characters that no address has";
  }
  if (StartsWith(target, "unix:") || StartsWith(target, "unix-abstract:")) {
    if (target.back() == ':') return "names no socket behind \"unix:\"";
    return std::nullopt;
  }
  if (StartsWith(target, "http:") || StartsWith(target, "https:") || StartsWith(target, "grpc:")) {
    return "is a URL; write host:port, of the server's gRPC port";
  }
  ConsumeDns(target);
  std::string_view host;
  std::string_view port;
  if (!SplitAddress(target, host, port) || host.empty()) {
    return "is none of host:port, unix:/path and dns:///name:port";
  }
  if (host.find('/') != std::string_view::npos) {
    return "is none of host:port, unix:/path and dns:///name:port";
  }
  if (!IsDigits(port) || port.size() > 5 || std::stoi(std::string(port)) > 65535 ||
      std::stoi(std::string(port)) == 0) {
    return "has no port from 1 to 65535 behind the last colon";
  }
  return std::nullopt;
}

}  // namespace gatehouse::client
