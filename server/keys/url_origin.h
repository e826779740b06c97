#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/keys/discovery.h"
#include "server/keys/http_fetch.h"
#include "server/keys/key_origin.h"

namespace gatehouse::keys {

struct UrlOriginOptions {
  std::string url;                          // the key set's; with `discovery` unused
  std::optional<DiscoveryRules> discovery;  // set: the document is read each time
  std::string ca_file;
  FetchLimits limits;  // of each of the two fetches
  // Of a set whose answer does not say, and between which the answer's own is put.
  absl::Duration lifetime = absl::Minutes(5);
  absl::Duration least_lifetime = absl::Minutes(1);
  absl::Duration most_lifetime = absl::Hours(1);
};

// A key set behind a URL that is given, or found by OpenID Connect discovery.
std::unique_ptr<KeyOrigin> MakeUrlOrigin(UrlOriginOptions options);

}  // namespace gatehouse::keys
