#include "server/config/may_assert.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"

namespace gatehouse::config {
namespace {

constexpr absl::string_view kAny = "any";
constexpr absl::string_view kNone = "none";

using Names = std::optional<std::vector<std::string>>;

class Reader {
 public:
  Reader(std::string path, bool several, Findings& findings)
      : path_(std::move(path)), several_(several), findings_(findings) {}

  template <typename List>
  Names Read(absl::string_view field, const List& in) {
    const std::string path = absl::StrCat(path_, ".", field);
    if (!findings_.Given(path)) {
      if (several_) {
        findings_.Wrong(path, absl::StrCat("is required with several issuers: list the ", field,
                                           " that this one may assert, or write any or none"));
      }
      return std::nullopt;
    }
    if (in.empty()) findings_.Wrong(path, "must not be empty; for no name at all write none");
    std::vector<std::string> names(in.begin(), in.end());
    if (names.size() == 1 && names.front() == kAny) return std::nullopt;
    if (names.size() == 1 && names.front() == kNone) return std::vector<std::string>();
    for (size_t i = 0; i < names.size(); ++i) CheckName(names, i, path);
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  void CheckName(const std::vector<std::string>& names, size_t i, const std::string& path) {
    const std::string inner = absl::StrCat(path, "[", i, "]");
    const std::string& name = names[i];
    if (name.empty()) {
      findings_.Wrong(inner, "must not be empty");
    } else if (name == "*") {
      findings_.Wrong(inner, "there is no *; for whatever the token says write any");
    } else if (name == kAny || name == kNone) {
      findings_.Wrong(inner, absl::StrCat(name, " must stand alone"));
    } else if (const auto before = std::find(names.begin(), names.end(), name);
               before != names.begin() + static_cast<std::ptrdiff_t>(i)) {
      findings_.Wrong(inner, absl::StrCat("\"", log::Escape(name, 64), "\" is listed twice"));
    }
  }

  const std::string path_;
  const bool several_;
  Findings& findings_;
};

}  // namespace

jose::MayAssert ReadMayAssert(const v1::Issuer& in, const std::string& path, bool several,
                              Findings& findings) {
  const std::string field = path + ".may_assert";
  jose::MayAssert out;
  if (!findings.Given(field)) {
    if (several) {
      findings.Wrong(field,
                     "is required with several issuers: roles, scopes and tenants, each a list of "
                     "those that this one may assert, or any, or none");
    }
    return out;
  }
  Reader reader(field, several, findings);
  out.roles = reader.Read("roles", in.may_assert().roles());
  out.scopes = reader.Read("scopes", in.may_assert().scopes());
  out.tenants = reader.Read("tenants", in.may_assert().tenants());
  return out;
}

}  // namespace gatehouse::config
