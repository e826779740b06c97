#include "server/config/callers.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/log.h"
#include "server/base/suggestion.h"
#include "server/config/issuer.h"

namespace gatehouse::config {
namespace {

constexpr size_t kMaxName = 64;

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
      RequireText(caller.token_file(), path + ".token_file", findings_);
      out.push_back({.name = caller.name(),
                     .token_file = Resolve(folder_, caller.token_file()),
                     .may = ReadRights(caller, path + ".may"),
                     .audiences = audiences_.Read(caller.audiences(), path, "caller"),
                     .place = findings_.PlaceOf(path + ".token_file")});
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
