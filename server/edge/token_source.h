#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "server/edge/headers.h"

// Where a request's token stands.
namespace gatehouse::edge {

struct TokenSource {
  enum class Kind {
    kNone,       // there is none
    kToken,      // `token`, not empty, good or not
    kUnusable,   // an Authorization header that brings no token; no cookie makes up for it
    kAmbiguous,  // two of them
  };
  Kind kind = Kind::kNone;
  absl::string_view token = {};
  bool from_cookie = false;
  // Why not, for the log: holds nothing that was sent.
  absl::string_view reason = {};
};

// In the Authorization header, or in the cookie of this name; empty: in none.
TokenSource FindToken(const Headers& headers, absl::string_view cookie);

// Whether two Authorization headers were sent, or what a proxy has made of two.
bool HasTwoAuthorizations(const Headers& headers);

// Whether a Cookie header holds `cookie` behind a comma: a proxy may have made one of two that
// way, and whoever reads it as one would miss the token in it.
bool HasJoinedCookie(const Headers& headers, absl::string_view cookie);

// All cookies but those of this name, as one header's value. `had`: whether there was one.
std::string CookiesWithout(const Headers& headers, absl::string_view cookie, bool& had);

}  // namespace gatehouse::edge
