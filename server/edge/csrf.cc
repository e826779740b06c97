#include "server/edge/csrf.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace gatehouse::edge {

absl::string_view WhyForged(absl::string_view method, const Headers& headers,
                            const std::vector<std::string>& origins) {
  // A page may open a WebSocket to any site, with its cookies, by GET.
  const bool is_safe =
      !headers.upgrades && (method == "GET" || method == "HEAD" || method == "OPTIONS");
  if (is_safe) return {};
  if (headers.origin.count > 1) return "two Origin headers";
  if (headers.origin.count == 1) {
    const absl::string_view origin = headers.origin.value;
    const bool is_listed = std::any_of(
        origins.begin(), origins.end(),
        [origin](const std::string& one) { return absl::EqualsIgnoreCase(one, origin); });
    return is_listed ? absl::string_view() : "the Origin is not on the list";
  }
  if (headers.fetch_site.count == 1 && headers.fetch_site.value == "same-origin") return {};
  return "no Origin, and no Sec-Fetch-Site of the same origin";
}

}  // namespace gatehouse::edge
