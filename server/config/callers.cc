#include "server/config/callers.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/base/log.h"
#include "server/base/suggestion.h"
#include "server/config/issuer.h"
#include "server/config/spiffe_id.h"

namespace gatehouse::config {
namespace {

constexpr size_t kMaxName = 64;
constexpr size_t kMaxDnsName = 253;
constexpr size_t kMaxLabel = 63;

constexpr std::array<std::pair<Right, absl::string_view>, kRights> kRightNames = {{
    {Right::kVerify, "verify"},
    {Right::kAuthorize, "authorize"},
    {Right::kFilter, "filter"},
    {Right::kCheck, "check"},
    {Right::kWatch, "watch"},
    {Right::kExplain, "explain"},
    {Right::kRevoke, "revoke"},
    {Right::kReinstate, "reinstate"},
    {Right::kList, "list"},
    {Right::kIntrospect, "introspect"},
    {Right::kAdmin, "admin"},
}};

std::vector<std::string> RightNames() {
  std::vector<std::string> names;
  names.reserve(kRightNames.size());
  for (const auto& [right, name] : kRightNames) names.emplace_back(name);
  return names;
}

bool IsName(absl::string_view name) {
  return name.size() <= kMaxName && std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  absl::string_view("-_./").find(c) != absl::string_view::npos;
         });
}

// Of one in lower case; empty if nothing is wrong with it.
absl::string_view DnsNameFault(absl::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > kMaxDnsName) return "one has 253 characters at most";
  if (name.find('*') != absl::string_view::npos) {
    return "a certificate's names are compared whole, and there are no patterns of them";
  }
  if (name.find(':') != absl::string_view::npos) return "one has no port and no scheme";
  const std::vector<absl::string_view> labels = absl::StrSplit(name, '.');
  for (const absl::string_view label : labels) {
    const bool good =
        !label.empty() && label.size() <= kMaxLabel &&
        std::all_of(label.begin(), label.end(), [](char c) {
          return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
        });
    if (!good) return "one is letters, digits, \"-\" and \"_\" between dots, and no dot ends it";
  }
  const absl::string_view last = labels.back();
  const bool is_address = std::all_of(last.begin(), last.end(), absl::ascii_isdigit);
  return is_address ? "it is an address" : "";
}

class CallersReader {
 public:
  CallersReader(const v1::Config& in, const std::string& folder, Audiences& audiences,
                Findings& findings)
      : in_(in), folder_(folder), findings_(findings), audiences_(audiences) {}

  std::vector<Caller> Read() {
    std::vector<Caller> out;
    if (in_.callers().empty() && findings_.Given("callers")) {
      findings_.Wrong("callers", "is empty; name at least one caller, or leave it out");
    }
    for (int i = 0; i < in_.callers_size(); ++i) {
      const v1::Caller& caller = in_.callers(i);
      const std::string path = absl::StrCat("callers[", i, "]");
      ReadName(caller.name(), path + ".name");
      const bool has_token = findings_.Given(path + ".token_file");
      if (has_token) RequireText(caller.token_file(), path + ".token_file", findings_);
      out.push_back({.name = caller.name(),
                     .token_file = has_token ? Resolve(folder_, caller.token_file()) : "",
                     .may = ReadRights(caller, path + ".may"),
                     .audiences = audiences_.Read(caller.audiences(), path, "caller"),
                     .place = findings_.PlaceOf(has_token ? path + ".token_file" : path),
                     .spiffe_ids = ReadIds(caller, path + ".spiffe_ids"),
                     .dns_names = ReadDnsNames(caller, path + ".dns_names")});
      CheckKnowable(path);
    }
    return out;
  }

 private:
  void ReadName(const std::string& name, const std::string& path) {
    if (!RequireText(name, path, findings_)) return;
    if (!IsName(name)) {
      findings_.Wrong(path, absl::StrCat("must be letters, digits and \"-_./\", ", kMaxName,
                                         " at most, since it stands in logs and metrics"));
      return;
    }
    const auto [before, is_new] = names_.emplace(name, path);
    if (is_new) return;
    findings_.Wrong(path, absl::StrCat("\"", name, "\" is ", before->second, " already (line ",
                                       findings_.LineOf(before->second), ")"));
  }

  void CheckKnowable(const std::string& path) {
    for (const char* field : {".token_file", ".spiffe_ids", ".dns_names"}) {
      if (findings_.Given(path + field)) return;
    }
    findings_.Wrong(path,
                    "nothing tells it from others: it needs token_file, spiffe_ids or dns_names");
  }

  std::vector<std::string> ReadIds(const v1::Caller& caller, const std::string& path) {
    CheckNotEmpty(caller.spiffe_ids().empty(), path);
    std::vector<std::string> ids = ReadSpiffeIds(caller.spiffe_ids(), path, findings_);
    const bool is_admin = std::find(caller.may().begin(), caller.may().end(),
                                    NameOf(Right::kAdmin)) != caller.may().end();
    for (int i = 0; i < caller.spiffe_ids_size(); ++i) {
      const std::string& id = caller.spiffe_ids(i);
      const std::string inner = absl::StrCat(path, "[", i, "]");
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) continue;
      CheckOnlyOnes(id, inner);
      if (is_admin && absl::EndsWith(id, kAllBelow)) {
        findings_.Wrong(inner,
                        "a pattern does not go with the right \"admin\": who may import, export "
                        "and back up is spelled out");
      }
    }
    return ids;
  }

  std::vector<std::string> ReadDnsNames(const v1::Caller& caller, const std::string& path) {
    CheckNotEmpty(caller.dns_names().empty(), path);
    std::vector<std::string> names;
    for (int i = 0; i < caller.dns_names_size(); ++i) {
      const std::string inner = absl::StrCat(path, "[", i, "]");
      std::string name = absl::AsciiStrToLower(caller.dns_names(i));
      if (const absl::string_view fault = DnsNameFault(name); !fault.empty()) {
        findings_.Wrong(inner, absl::StrCat("\"", log::Escape(caller.dns_names(i), 128),
                                            "\" is no DNS name: ", fault));
      } else if (std::find(names.begin(), names.end(), name) != names.end()) {
        findings_.Wrong(inner, "is listed twice");
      } else {
        CheckOnlyOnes(name, inner);
        names.push_back(std::move(name));
      }
    }
    return names;
  }

  void CheckNotEmpty(bool empty, const std::string& path) {
    if (empty && findings_.Given(path))
      findings_.Wrong(path, "is empty; leave it out, or name one");
  }

  // Of no other caller.
  void CheckOnlyOnes(const std::string& id, const std::string& path) {
    const auto [before, is_new] = ids_.emplace(id, path);
    if (is_new ||
        before->second.substr(0, before->second.find(']')) == path.substr(0, path.find(']'))) {
      return;
    }
    findings_.Wrong(path, absl::StrCat("is ", before->second, " already (line ",
                                       findings_.LineOf(before->second),
                                       "), and no two callers have the same one"));
  }

  std::vector<Right> ReadRights(const v1::Caller& caller, const std::string& path) {
    std::vector<Right> out;
    if (caller.may().empty()) {
      findings_.Wrong(path,
                      absl::StrCat("needs at least one of ", absl::StrJoin(RightNames(), ", "),
                                   "; a caller without rights can ask nothing"));
    }
    for (int i = 0; i < caller.may_size(); ++i) {
      const std::string& name = caller.may(i);
      const std::string inner = absl::StrCat(path, "[", i, "]");
      const std::optional<Right> right = RightFromName(name);
      if (!right.has_value()) {
        findings_.Wrong(inner, UnknownRight(name));
      } else if (std::find(out.begin(), out.end(), *right) != out.end()) {
        findings_.Wrong(inner, absl::StrCat(name, " is listed twice"));
      } else {
        out.push_back(*right);
      }
    }
    return out;
  }

  static std::string UnknownRight(const std::string& name) {
    const std::string meant = Nearest(name, RightNames());
    return absl::StrCat("unknown right \"", log::Escape(name, 64), "\"",
                        meant.empty()
                            ? absl::StrCat("; known are ", absl::StrJoin(RightNames(), ", "))
                            : absl::StrCat("; did you mean \"", meant, "\"?"));
  }

  const v1::Config& in_;
  const std::string& folder_;
  Findings& findings_;
  Audiences& audiences_;
  std::map<std::string, std::string> names_;  // name -> where
  std::map<std::string, std::string> ids_;    // SPIFFE id or DNS name -> where
};

}  // namespace

absl::string_view NameOf(Right right) {
  for (const auto& [known, name] : kRightNames) {
    if (known == right) return name;
  }
  return "";
}

std::optional<Right> RightFromName(absl::string_view name) {
  for (const auto& [right, known] : kRightNames) {
    if (known == name) return right;
  }
  return std::nullopt;
}

std::vector<Caller> ReadCallers(const v1::Config& in, const std::string& folder,
                                Audiences& audiences, Findings& findings) {
  return CallersReader(in, folder, audiences, findings).Read();
}

}  // namespace gatehouse::config
