#include "server/keys/discovery.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/jose/json.h"
#include "server/keys/url.h"

namespace gatehouse::keys {
namespace {

constexpr size_t kMaxUrlBytes = 2048;

bool IsAllowedHost(const std::string& host, const DiscoveryRules& rules) {
  const auto own = ParseUrl(rules.issuer_url);
  return (own.ok() && absl::EqualsIgnoreCase(own->host, host)) ||
         std::any_of(
             rules.jwks_hosts.begin(), rules.jwks_hosts.end(),
             [&](const std::string& allowed) { return absl::EqualsIgnoreCase(allowed, host); });
}

}  // namespace

std::string ConfigurationUrl(absl::string_view issuer_url) {
  return absl::StrCat(absl::StripSuffix(issuer_url, "/"), "/.well-known/openid-configuration");
}

absl::StatusOr<std::string> JwksUriOf(absl::string_view document, const DiscoveryRules& rules) {
  const simdjson::padded_string text(document.data(), document.size());
  jose::JsonParser parser;
  jose::JsonDocument parsed;
  const absl::StatusOr<jose::JsonObject> object =
      jose::ParseJsonObject(parser, parsed, text.data(), text.size());
  if (!object.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("is no discovery document: ", object.status().message()));
  }
  const auto issuer = jose::FindString(*object, "issuer");
  if (!issuer.has_value()) return absl::InvalidArgumentError("its issuer is missing or no string");
  if (*issuer != rules.issuer) {
    return absl::InvalidArgumentError(absl::StrCat("its issuer is \"", log::Escape(*issuer, 256),
                                                   "\", not the configured \"",
                                                   log::Escape(rules.issuer, 256), "\""));
  }
  const auto uri = jose::FindString(*object, "jwks_uri");
  if (!uri.has_value()) return absl::InvalidArgumentError("its jwks_uri is missing or no string");
  if (uri->size() > kMaxUrlBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("its jwks_uri is longer than ", kMaxUrlBytes, " bytes"));
  }
  std::string url(*uri);
  if (const std::string wrong = WhyNoKeyUrl(url, rules.http_behind_mesh); !wrong.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("its jwks_uri ", wrong));
  }
  GH_ASSIGN_OR_RETURN(const Url parts, ParseUrl(url));
  if (!IsAllowedHost(parts.host, rules)) {
    return absl::InvalidArgumentError(
        absl::StrCat("its jwks_uri is on the host \"", log::Escape(parts.host, 256),
                     "\", which is not the issuer_url's and not in jwks_hosts"));
  }
  return url;
}

}  // namespace gatehouse::keys
