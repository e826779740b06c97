#include "client/cli/target.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/keys/url.h"

namespace gatehouse::cli {
namespace {

// "host", "host:port", "[v6]" or "[v6]:port".
bool IsLoopbackAddress(absl::string_view address) {
  if (absl::ConsumePrefix(&address, "[")) {
    return keys::IsLoopbackHost(address.substr(0, address.find(']')));
  }
  return keys::IsLoopbackHost(address.substr(0, address.rfind(':')));
}

}  // namespace

bool IsOnThisMachine(absl::string_view target) {
  for (const absl::string_view scheme : {"unix:", "unix-abstract:"}) {
    if (absl::StartsWith(target, scheme)) return true;
  }
  for (const absl::string_view scheme : {"ipv4:", "ipv6:"}) {
    if (!absl::ConsumePrefix(&target, scheme)) continue;
    const std::vector<absl::string_view> addresses = absl::StrSplit(target, ',');
    return std::all_of(addresses.begin(), addresses.end(), IsLoopbackAddress);
  }
  // dns:host:port or dns://authority/host:port
  if (absl::ConsumePrefix(&target, "dns:") && absl::ConsumePrefix(&target, "//")) {
    target.remove_prefix(std::min(target.find('/'), target.size() - 1) + 1);
  }
  return IsLoopbackAddress(target);
}

}  // namespace gatehouse::cli
