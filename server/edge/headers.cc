#include "server/edge/headers.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "server/base/text.h"

namespace gatehouse::edge {
namespace {

// By byte of a header's name (RFC 9110, token): what it is in lower case; 0 for one that
// no name holds.
constexpr std::array<char, 256> kNameBytes = [] {
  std::array<char, 256> table{};
  for (char c = 'a'; c <= 'z'; ++c) {
    table[static_cast<uint8_t>(c)] = c;
    table[static_cast<uint8_t>(c - 'a' + 'A')] = c;
  }
  for (char c = '0'; c <= '9'; ++c) table[static_cast<uint8_t>(c)] = c;
  for (const char c :
       {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) {
    table[static_cast<uint8_t>(c)] = c;
  }
  return table;
}();

char LowerOf(char c) { return kNameBytes[static_cast<uint8_t>(c)]; }

bool IsName(absl::string_view name) {
  if (!name.empty() && name[0] == ':') name.remove_prefix(1);  // HTTP/2's pseudo-headers
  if (name.empty()) return false;
  bool is_name = true;
  for (const char c : name) is_name &= LowerOf(c) != 0;
  return is_name;
}

void Count(const Header& header, Headers::Named& named) {
  ++named.count;
  named.value = header.value;
}

}  // namespace

HeaderReader::HeaderReader(const IdentityHeaders& identity) {
  Add("authorization", Kind::kAuthorization);
  Add("cookie", Kind::kCookie);
  Add("host", Kind::kHost);
  Add(":authority", Kind::kAuthority);
  Add("origin", Kind::kOrigin);
  // Spelled with `_`, a page may set it.
  Add("sec-fetch-site", Kind::kFetchSite);
  Add("access-control-request-method", Kind::kRequestedMethod);
  Add("upgrade", Kind::kUpgrade);
  Add(":protocol", Kind::kUpgrade);
  Add("http2-settings", Kind::kOtherProtocol);
  // A proxy may take Upgrade away before it asks.
  Add("sec-websocket-key", Kind::kWebSocket);
  Add("x-forwarded-host", Kind::kForwardedHost, true);
  Add("x-http-method-override", Kind::kMethodOverride, true);
  Add("x-http-method", Kind::kMethodOverride, true);
  Add("x-method-override", Kind::kMethodOverride, true);
  Add("x-original-url", Kind::kPathOverride, true);
  Add("x-rewrite-url", Kind::kPathOverride, true);
  for (const std::string* const name : {&identity.subject, &identity.roles, &identity.tenant,
                                        &identity.issuer, &identity.scopes, &identity.email}) {
    if (!name->empty()) Add(*name, Kind::kIdentity, true);
  }
}

void HeaderReader::Add(absl::string_view name, Kind kind, bool loose) {
  std::string text = absl::AsciiStrToLower(name);
  if (loose) {
    for (char& c : text) c = c == '_' ? '-' : c;
  }
  if (names_.size() <= text.size()) names_.resize(text.size() + 1);
  names_[text.size()].push_back({std::move(text), kind, loose});
}

bool HeaderReader::Is(absl::string_view sent, const Name& name) {
  for (size_t i = 0; i < sent.size(); ++i) {
    char c = sent[i] == ':' ? ':' : LowerOf(sent[i]);
    if (name.loose && c == '_') c = '-';
    if (c != name.text[i]) return false;
  }
  return true;
}

void HeaderReader::Note(Kind kind, const Header& header, Headers& out) {
  switch (kind) {
    case Kind::kAuthorization:
      return Count(header, out.authorization);
    case Kind::kCookie:
      if (HasControlCharacter(header.value)) out.malformed = "a cookie holds a control character";
      return Count(header, out.cookie);
    case Kind::kHost:
      return Count(header, out.host);
    case Kind::kAuthority:
      return Count(header, out.authority);
    case Kind::kOrigin:
      return Count(header, out.origin);
    case Kind::kFetchSite:
      return Count(header, out.fetch_site);
    case Kind::kRequestedMethod:
      return Count(header, out.requested_method);
    case Kind::kUpgrade:
      out.other_protocol |= out.upgrade_seen || !absl::EqualsIgnoreCase(header.value, "websocket");
      out.upgrade_seen = true;
      out.upgrades = true;
      return;
    case Kind::kOtherProtocol:
      out.other_protocol = true;
      return;
    case Kind::kWebSocket:
      out.upgrades = true;
      return;
    case Kind::kForwardedHost:
      out.forwarded_hosts.push_back(header);
      return;
    case Kind::kMethodOverride:
      out.overrides_method = true;
      return;
    case Kind::kPathOverride:
      out.overrides_path = true;
      return;
    case Kind::kIdentity:
      out.identity.push_back(header.name);
      return;
  }
}

Headers HeaderReader::Read(absl::Span<const Header> headers) const {
  Headers out;
  out.all = headers;
  size_t bytes = 0;
  for (const Header& header : headers) {
    bytes += header.name.size() + header.value.size();
    if (!IsName(header.name)) out.malformed = "a header's name is none";
    if (header.name.size() >= names_.size()) continue;
    for (const Name& name : names_[header.name.size()]) {
      if (!Is(header.name, name)) continue;
      Note(name.kind, header, out);
      break;
    }
  }
  if (bytes > kMaxBytes) out.malformed = "more than 60 KiB of headers";
  return out;
}

}  // namespace gatehouse::edge
