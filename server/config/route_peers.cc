#include "server/config/route_peers.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"

namespace gatehouse::config {
namespace {

// As the SPIFFE-ID standard has them.
constexpr size_t kMaxPeer = 2048;

bool IsTrustDomain(absl::string_view name) {
  return !name.empty() && name.size() <= 255 && std::all_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return absl::ascii_islower(byte) || absl::ascii_isdigit(byte) || c == '.' || c == '-' ||
           c == '_';
  });
}

bool IsSegment(absl::string_view text) {
  return !text.empty() && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' ||
                  c == '_';
         });
}

bool IsPeer(absl::string_view peer) {
  if (peer.size() > kMaxPeer || !absl::ConsumePrefix(&peer, "spiffe://")) return false;
  absl::ConsumeSuffix(&peer, "/*");
  const std::vector<absl::string_view> parts = absl::StrSplit(peer, '/');
  return IsTrustDomain(parts.front()) && std::all_of(parts.begin() + 1, parts.end(), IsSegment);
}

}  // namespace

std::vector<std::string> ReadPeers(const google::protobuf::RepeatedPtrField<std::string>& given,
                                   const std::string& path, Findings& findings) {
  if (given.empty() && findings.Given(path)) {
    findings.Wrong(path, "is empty; leave it out where any peer may ask");
  }
  std::vector<std::string> out;
  for (int i = 0; i < given.size(); ++i) {
    const std::string inner = absl::StrCat(path, "[", i, "]");
    if (!IsPeer(given[i])) {
      findings.Wrong(inner, absl::StrCat("\"", log::Escape(given[i], 128),
                                         "\" is no SPIFFE id: write \"spiffe://example.org/ns/web/"
                                         "sa/front\", or \"spiffe://example.org/ns/web/*\" for all "
                                         "below"));
    } else if (std::find(out.begin(), out.end(), given[i]) != out.end()) {
      findings.Wrong(inner, "is listed twice");
    } else {
      out.push_back(given[i]);
    }
  }
  return out;
}

}  // namespace gatehouse::config
