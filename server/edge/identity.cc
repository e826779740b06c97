#include "server/edge/identity.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/match.h"

namespace gatehouse::edge {
namespace {

std::array<const std::string*, 6> All(const IdentityHeaders& names) {
  return {&names.subject, &names.roles, &names.tenant, &names.issuer, &names.scopes, &names.email};
}

// Whether every reader of a header with this value reads this value.
bool IsSayable(absl::string_view value) {
  if (value.empty()) return true;
  if (value.front() == ' ' || value.back() == ' ') return false;
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

class Setter {
 public:
  explicit Setter(const Changes& changes) : changes_(changes) {}

  // False if it cannot be said.
  bool One(const std::string& name, absl::string_view value) {
    if (name.empty()) return true;
    if (!IsSayable(value)) return false;
    return Put(name, std::string(value));
  }

  bool Joined(const std::string& name, const policy::Principal::Names& values, char separator) {
    if (name.empty()) return true;
    std::string all;
    for (const absl::string_view value : values) {
      if (value.empty()) continue;
      if (!IsSayable(value) || value.find(separator) != absl::string_view::npos) return false;
      if (!all.empty()) all += separator;
      all.append(value.data(), value.size());
    }
    return Put(name, std::move(all));
  }

 private:
  bool Put(const std::string& name, std::string value) {
    if (value.empty()) {
      changes_.remove.emplace_back(name);
    } else {
      changes_.set.emplace_back(name, std::move(value));
    }
    return true;
  }

  const Changes& changes_;
};

}  // namespace

bool SetIdentity(const IdentityHeaders& names, const policy::Principal& principal,
                 const Changes& changes) {
  Setter setter(changes);
  return setter.One(names.subject, principal.subject) &&
         setter.Joined(names.roles, principal.roles, ',') &&
         setter.One(names.tenant, principal.tenant) && setter.One(names.issuer, principal.issuer) &&
         setter.Joined(names.scopes, principal.scopes, ' ') &&
         setter.One(names.email, principal.email);
}

void RemoveIdentity(const IdentityHeaders& names, const Changes& changes) {
  for (const std::string* const name : All(names)) {
    if (!name->empty()) changes.remove.emplace_back(*name);
  }
}

void RemoveOtherSpellings(const IdentityHeaders& names, const Headers& headers,
                          const Changes& changes) {
  const auto all = All(names);
  for (const absl::string_view sent : headers.identity) {
    const bool is_own = std::any_of(all.begin(), all.end(), [sent](const std::string* name) {
      return absl::EqualsIgnoreCase(*name, sent);
    });
    if (!is_own) changes.remove.push_back(sent);
  }
}

void RemoveOtherHosts(absl::string_view host, const Headers& headers, const Changes& changes) {
  for (const Header& sent : headers.forwarded_hosts) {
    if (!absl::EqualsIgnoreCase(sent.value, host)) changes.remove.push_back(sent.name);
  }
}

}  // namespace gatehouse::edge
