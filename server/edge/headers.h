#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/edge/request.h"
#include "server/edge/settings.h"

namespace gatehouse::edge {

// What a request's headers say, as far as the gate asks. Views into them. Names are
// compared without regard to case.
struct Headers {
  // The headers of one name: how many there are, and what the last one says.
  struct Named {
    int count = 0;
    absl::string_view value = {};
  };

  absl::Span<const Header> all = {};
  Named authorization = {};
  Named cookie = {};
  Named host = {};
  Named authority = {};  // HTTP/2's own
  Named origin = {};
  Named fetch_site = {};
  Named requested_method = {};  // of a CORS preflight
  // It would have the connection speak another protocol.
  bool upgrades = false;
  bool upgrade_seen = false;  // in a header of that name
  // To another one than WebSocket, or to several: inside h2c, say, whoever sent it asks the
  // service for whatever it likes, past the proxy.
  bool other_protocol = false;
  // X-Forwarded-Host, in any spelling, which many frameworks take for the host.
  absl::InlinedVector<Header, 1> forwarded_hosts = {};
  // X-HTTP-Method-Override and its kin, with `_` for `-` too.
  bool overrides_method = false;
  // X-Original-URL or X-Rewrite-URL, which some frameworks take for the path.
  bool overrides_path = false;
  // Not empty: why they are no headers, in words that hold nothing of them.
  absl::string_view malformed = {};
  // The names, as they were sent, that equal an identity header's after lower-casing and
  // `_` to `-`.
  absl::InlinedVector<absl::string_view, 8> identity = {};
};

// Finds the headers that matter in one pass. Immutable; thread-safe.
class HeaderReader {
 public:
  // Of all names and values; what Envoy takes unless told otherwise.
  static constexpr size_t kMaxBytes = size_t{60} * 1024;

  explicit HeaderReader(const IdentityHeaders& identity);

  Headers Read(absl::Span<const Header> headers) const;

 private:
  enum class Kind {
    kAuthorization,
    kCookie,
    kHost,
    kAuthority,
    kOrigin,
    kFetchSite,
    kRequestedMethod,
    kUpgrade,
    kMethodOverride,
    kPathOverride,
    kOtherProtocol,
    kWebSocket,
    kForwardedHost,
    kIdentity,
  };
  struct Name {
    std::string text;  // in lower case
    Kind kind;
    // `_` stands for `-`: whoever makes a variable of a header's name reads both as one.
    bool loose;
  };

  void Add(absl::string_view name, Kind kind, bool loose = false);
  static bool Is(absl::string_view sent, const Name& name);
  static void Note(Kind kind, const Header& header, Headers& out);

  // By length: of most headers there is none.
  std::vector<std::vector<Name>> names_;
};

}  // namespace gatehouse::edge
