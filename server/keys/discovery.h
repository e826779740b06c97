#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// OpenID Connect Discovery 1.0, as far as it leads to an issuer's keys.
namespace gatehouse::keys {

struct DiscoveryRules {
  std::string issuer;                        // must be the document's, byte by byte
  std::string issuer_url;                    // on whose host the key set must be
  std::vector<std::string> jwks_hosts = {};  // or on one of these
  bool http_behind_mesh = false;
};

// Section 4.1: <issuer_url>/.well-known/openid-configuration.
std::string ConfigurationUrl(absl::string_view issuer_url);

// The `jwks_uri` of the document, which obeys WhyNoKeyUrl and is on a host that
// `rules` allow. INVALID_ARGUMENT with the reason.
absl::StatusOr<std::string> JwksUriOf(absl::string_view document, const DiscoveryRules& rules);

}  // namespace gatehouse::keys
