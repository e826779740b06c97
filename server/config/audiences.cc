#include "server/config/audiences.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/suggestion.h"
#include "server/config/issuer.h"

namespace gatehouse::config {
namespace {

// As many as the engine tells apart.
constexpr size_t kMaxUsed = 64;

}  // namespace

Audiences::Audiences(const v1::Config& in, Findings& findings) : findings_(findings) {
  for (const v1::Issuer& issuer : in.issuers()) {
    known_.insert(issuer.audiences().begin(), issuer.audiences().end());
  }
}

std::vector<std::string> Audiences::Read(
    const google::protobuf::RepeatedPtrField<std::string>& given, const std::string& path,
    absl::string_view kind) {
  const std::string field = path + ".audiences";
  std::vector<std::string> out;
  if (given.empty() && findings_.Given(field)) {
    findings_.Wrong(field, "is empty; leave it out where the issuers' audiences are enough");
  }
  for (int i = 0; i < given.size(); ++i) {
    const std::string inner = absl::StrCat(field, "[", i, "]");
    if (!RequireText(given[i], inner, findings_)) continue;
    if (known_.count(given[i]) == 0) {
      findings_.Wrong(inner, NoSuchAudience(given[i], kind));
    } else if (std::find(out.begin(), out.end(), given[i]) != out.end()) {
      findings_.Wrong(inner, "is listed twice");
    } else {
      out.push_back(given[i]);
      Count(given[i], inner);
    }
  }
  return out;
}

std::string Audiences::NoSuchAudience(const std::string& audience, absl::string_view kind) const {
  const std::string meant = Nearest(audience, {known_.begin(), known_.end()});
  return absl::StrCat("\"", log::Escape(audience, 128), "\" is among no issuer's audiences, so ",
                      "this ", kind, " could accept no token",
                      meant.empty() ? "" : absl::StrCat("; did you mean \"", meant, "\"?"));
}

void Audiences::Count(const std::string& audience, const std::string& path) {
  const bool is_new = used_.insert(audience).second;
  if (is_new && used_.size() == kMaxUsed + 1) {
    findings_.Wrong(path, absl::StrCat("callers and routes name more than ", kMaxUsed,
                                       " different audiences in all"));
  }
}

}  // namespace gatehouse::config
