#include "server/config/spiffe_id.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"

namespace gatehouse::config {
namespace {

constexpr absl::string_view kScheme = "spiffe://";
constexpr size_t kMaxId = 2048;
constexpr size_t kMaxTrustDomain = 255;

bool Has(absl::string_view text, char c) { return text.find(c) != absl::string_view::npos; }

// Empty if nothing is wrong with it.
absl::string_view TrustDomainFault(absl::string_view name) {
  if (name.empty()) return "its trust domain is missing";
  if (name.size() > kMaxTrustDomain) return "a trust domain has 255 characters at most";
  if (Has(name, '@')) return "a SPIFFE id has no userinfo (\"user@\")";
  if (Has(name, ':')) return "a SPIFFE id has no port";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isupper(byte)) return "a trust domain is in lower case";
    if (!absl::ascii_islower(byte) && !absl::ascii_isdigit(byte) && !Has(".-_", c)) {
      return "a trust domain is letters, digits and \".-_\"";
    }
  }
  return "";
}

absl::string_view SegmentFault(absl::string_view text) {
  if (text.empty()) return "no part of a SPIFFE id is empty, and no slash ends it";
  if (text == "." || text == "..") return "a SPIFFE id has no \".\" and no \"..\"";
  const bool good = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || Has(".-_", c);
  });
  return good ? "" : "the path of a SPIFFE id is letters, digits and \".-_\" between slashes";
}

// Why it is no SPIFFE id: empty if it is one.
absl::string_view FaultOf(absl::string_view id) {
  if (id.size() > kMaxId) return "a SPIFFE id has 2048 characters at most";
  if (!absl::ConsumePrefix(&id, kScheme)) return "a SPIFFE id begins with \"spiffe://\"";
  if (Has(id, '?')) return "a SPIFFE id has no query";
  if (Has(id, '#')) return "a SPIFFE id has no fragment";
  size_t slash = id.find('/');
  const absl::string_view fault = TrustDomainFault(id.substr(0, slash));
  if (!fault.empty()) return fault;
  while (slash != absl::string_view::npos) {
    id.remove_prefix(slash + 1);
    slash = id.find('/');
    const absl::string_view wrong = SegmentFault(id.substr(0, slash));
    if (!wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace

bool IsSpiffeId(absl::string_view id) { return FaultOf(id).empty(); }

std::vector<std::string> ReadSpiffeIds(const google::protobuf::RepeatedPtrField<std::string>& given,
                                       const std::string& path, Findings& findings) {
  std::vector<std::string> out;
  for (int i = 0; i < given.size(); ++i) {
    const std::string inner = absl::StrCat(path, "[", i, "]");
    const absl::string_view fault =
        FaultOf(absl::StripSuffix(absl::string_view(given[i]), kAllBelow));
    if (!fault.empty()) {
      findings.Wrong(inner,
                     absl::StrCat("\"", log::Escape(given[i], 128), "\" is no SPIFFE id: ", fault,
                                  "; write \"spiffe://example.org/ns/web/sa/front\", or "
                                  "\"spiffe://example.org/ns/web/*\" for all below"));
    } else if (std::find(out.begin(), out.end(), given[i]) != out.end()) {
      findings.Wrong(inner, "is listed twice");
    } else {
      out.push_back(given[i]);
    }
  }
  return out;
}

}  // namespace gatehouse::config
