#include "server/config/may_assert.h"

#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/suggestion.h"
#include "server/policy/definition.h"

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

struct PolicyNames {
  std::set<std::string> roles;
  std::set<std::string> scopes;
};

void AddRules(const std::vector<policy::Rule>& rules, PolicyNames& out) {
  for (const policy::Rule& rule : rules) {
    if (rule.who.kind == policy::Who::Kind::kRole) out.roles.insert(rule.who.name);
    if (rule.who.kind == policy::Who::Kind::kScope) out.scopes.insert(rule.who.name);
  }
}

void AddPolicy(const policy::Definition& policy, PolicyNames& out) {
  for (const policy::Role& role : policy.roles) {
    out.roles.insert(role.name);
    out.roles.insert(role.includes.begin(), role.includes.end());
  }
  for (const policy::Resource& resource : policy.resources) {
    for (const policy::Action& action : resource.actions) {
      AddRules(action.allow, out);
      AddRules(action.deny, out);
    }
  }
}

template <typename List>
void WarnOf(const List& given, const std::set<std::string>& known, absl::string_view kind,
            const std::string& path, const Findings& findings, Config& config) {
  if (known.empty()) return;  // they are for what backends do with Verify's answer
  for (int i = 0; i < given.size(); ++i) {
    if (given[i] == kAny || given[i] == kNone || known.count(given[i]) > 0) continue;
    const std::string meant = Nearest(given[i], {known.begin(), known.end()});
    config.warnings.push_back(findings.Sentence(
        absl::StrCat(path, "[", i, "]"),
        absl::StrCat("the policy names no ", kind, " \"", log::Escape(given[i], 64), "\"",
                     meant.empty()
                         ? ""
                         : absl::StrCat("; did you mean \"", log::Escape(meant, 64), "\"?"))));
  }
}

}  // namespace

void WarnOfUnknownNames(const v1::Config& in, const Findings& findings, Config& config) {
  if (!config.policy.has_value()) return;
  PolicyNames known;
  AddPolicy(*config.policy, known);
  if (config.shadow.has_value()) AddPolicy(config.shadow->policy, known);
  for (int i = 0; i < in.issuers_size(); ++i) {
    const std::string path = absl::StrCat("issuers[", i, "].may_assert.");
    const v1::Assertions& may = in.issuers(i).may_assert();
    WarnOf(may.roles(), known.roles, "role", path + "roles", findings, config);
    WarnOf(may.scopes(), known.scopes, "scope", path + "scopes", findings, config);
  }
}

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
