#include "server/edge/token_source.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace gatehouse::edge {
namespace {

using Kind = TokenSource::Kind;

absl::string_view Trim(absl::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls `each` with every pair, its name and its value (RFC 6265, section 5.2's way).
template <typename Each>
void ForEachCookie(const Headers& headers, const Each& each) {
  if (headers.cookie.count == 0) return;
  for (const Header& header : headers.all) {
    if (!absl::EqualsIgnoreCase(header.name, "cookie")) continue;
    absl::string_view left = header.value;
    while (true) {
      left.remove_prefix(std::min(left.find_first_not_of(';'), left.size()));
      if (left.empty()) break;
      const absl::string_view pair = left.substr(0, left.find(';'));
      left.remove_prefix(std::min(pair.size() + 1, left.size()));
      const size_t equals = pair.find('=');
      const bool is_pair = equals != absl::string_view::npos;
      each(Trim(pair), is_pair ? Trim(pair.substr(0, equals)) : absl::string_view(),
           is_pair ? Trim(pair.substr(equals + 1)) : absl::string_view());
    }
  }
}

TokenSource InHeader(absl::string_view value) {
  constexpr absl::string_view kScheme = "bearer ";
  if (!absl::StartsWithIgnoreCase(value, kScheme)) {
    return {.kind = Kind::kUnusable, .reason = "the Authorization header is no Bearer token"};
  }
  const absl::string_view token = value.substr(kScheme.size());
  if (token.empty() || token.front() == ' ') {
    return {.kind = Kind::kUnusable, .reason = "the Authorization header holds no token"};
  }
  return {.kind = Kind::kToken, .token = token};
}

TokenSource InCookie(const Headers& headers, absl::string_view cookie) {
  int found = 0;
  absl::string_view token;
  ForEachCookie(headers,
                [&](absl::string_view /*pair*/, absl::string_view name, absl::string_view value) {
                  if (name != cookie) return;
                  ++found;
                  token = value;
                });
  if (found > 1) {
    return {.kind = Kind::kAmbiguous, .reason = "two cookies of the token's name"};
  }
  if (token.empty()) return {.reason = "no token"};
  return {.kind = Kind::kToken, .token = token, .from_cookie = true};
}

}  // namespace

bool HasTwoAuthorizations(const Headers& headers) {
  // No bearer token holds a comma.
  return headers.authorization.count > 1 ||
         headers.authorization.value.find(',') != absl::string_view::npos;
}

TokenSource FindToken(const Headers& headers, absl::string_view cookie) {
  if (HasTwoAuthorizations(headers)) {
    return {.kind = Kind::kAmbiguous, .reason = "two Authorization headers"};
  }
  if (headers.authorization.count > 0) return InHeader(headers.authorization.value);
  if (!cookie.empty()) return InCookie(headers, cookie);
  return {.reason = "no token"};
}

bool HasJoinedCookie(const Headers& headers, absl::string_view cookie) {
  if (cookie.empty() || headers.cookie.count == 0) return false;
  for (const Header& header : headers.all) {
    if (!absl::EqualsIgnoreCase(header.name, "cookie")) continue;
    absl::string_view left = header.value;
    for (size_t comma = left.find(','); comma != absl::string_view::npos; comma = left.find(',')) {
      left = Trim(left.substr(comma + 1));
      if (!absl::StartsWith(left, cookie)) continue;
      if (absl::StartsWith(Trim(left.substr(cookie.size())), "=")) return true;
    }
  }
  return false;
}

std::string CookiesWithout(const Headers& headers, absl::string_view cookie, bool& had) {
  std::string left;
  had = false;
  ForEachCookie(headers,
                [&](absl::string_view pair, absl::string_view name, absl::string_view /*value*/) {
                  if (!cookie.empty() && name == cookie) {
                    had = true;
                  } else if (!pair.empty()) {
                    absl::StrAppend(&left, left.empty() ? "" : "; ", pair);
                  }
                });
  return left;
}

}  // namespace gatehouse::edge
