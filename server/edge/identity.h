#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/edge/headers.h"
#include "server/edge/settings.h"
#include "server/policy/principal.h"

// The headers that tell the services behind who calls.
namespace gatehouse::edge {

// What a request is given, and loses, on its way upstream. Views: of names.
struct Changes {
  std::vector<std::pair<absl::string_view, std::string>>& set;
  std::vector<absl::string_view>& remove;
};

// Sets the headers that `principal` has values for, and removes the others. False, with
// `changes` of no use, where a value cannot be said in a header as it is: it holds other
// than visible ASCII and inner spaces, or a role a comma, or a scope a space. Empty roles
// and scopes are left out.
bool SetIdentity(const IdentityHeaders& names, const policy::Principal& principal,
                 const Changes& changes);

// Removes all of them.
void RemoveIdentity(const IdentityHeaders& names, const Changes& changes);

// Removes those that `headers` has in another spelling than case alone makes.
void RemoveOtherSpellings(const IdentityHeaders& names, const Headers& headers,
                          const Changes& changes);

// Removes what tells the services of another host than `host`, which was decided on.
void RemoveOtherHosts(absl::string_view host, const Headers& headers, const Changes& changes);

}  // namespace gatehouse::edge
