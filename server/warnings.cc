#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/base/read_file.h"
#include "server/config/issuer.h"
#include "server/keys/url.h"
#include "server/server.h"

namespace gatehouse {
namespace {

void WarnOfSecretFile(const config::SecretPlace& secret, std::vector<std::string>& warnings) {
  if (secret.kind != config::SecretPlace::Kind::kFile || !OthersMayRead(secret.name)) return;
  warnings.push_back(
      absl::StrCat(secret.place, ": ", secret.name,
                   " may be read by others than its owner and group, or written by the group; "
                   "chmod 640 it at most"));
}

std::vector<std::string> CallerWarnings(const config::Config& config) {
  if (config.callers.empty()) {
    return {absl::StrCat("there are no callers: whoever reaches the gRPC port ",
                         config.grpc.ToString(), " may ask and revoke")};
  }
  std::vector<std::string> warnings;
  const auto warn_of = [&](absl::string_view port, const config::Endpoint& endpoint) {
    if (endpoint.IsLocal()) return;
    warnings.push_back(absl::StrCat("the ", port, " port ", endpoint.ToString(),
                                    " takes tokens in plaintext: only a mesh keeps them secret"));
  };
  if (!config.tls.has_value()) warn_of("gRPC", config.grpc);
  if (config.oauth) warn_of("HTTP", config.http);
  for (const config::ForwardAuth& one : config.forward_auth) warn_of("forward-auth", one.address);
  for (const config::Caller& caller : config.callers) {
    if (caller.token_file.empty() || !OthersMayRead(caller.token_file)) continue;
    warnings.push_back(
        absl::StrCat(caller.token_file, ": the token of caller ", caller.name,
                     " can be read by others than the file's owner and group; chmod 640 at most"));
  }
  return warnings;
}

}  // namespace

std::vector<std::string> Warnings(const config::Config& config) {
  std::vector<std::string> warnings = CallerWarnings(config);
  warnings.insert(warnings.end(), config.warnings.begin(), config.warnings.end());
  for (const config::Issuer& issuer : config.issuers) {
    const std::string& name = issuer.rules.issuer;
    if (issuer.development_key_file.has_value()) {
      warnings.push_back(
          absl::StrCat("issuer ", name, " is one for development: never in production"));
    }
    const jose::ClaimNames& claims = issuer.rules.claims;
    for (const jose::ClaimPath* path :
         {&claims.roles, &claims.scopes, &claims.tenant, &claims.session, &claims.client}) {
      if (!config::LooksLikeDottedPath(path->text())) continue;
      warnings.push_back(absl::StrCat("issuer ", name, ": ", path->text(),
                                      " is the name of one claim; if a path is meant, write /",
                                      absl::StrReplaceAll(path->text(), {{".", "/"}})));
    }
    if (issuer.rules.allow_missing_iat) {
      warnings.push_back(absl::StrCat("issuer ", name, ": tokens without iat are accepted"));
    }
    if (const auto* url = std::get_if<config::KeysUrl>(&issuer.keys);
        url != nullptr && url->http_behind_mesh) {
      warnings.push_back(absl::StrCat("issuer ", name, ": its keys may come over plain http, and ",
                                      "whoever can change them on their way can mint tokens"));
    }
    if (const auto* secret = std::get_if<config::KeysSecret>(&issuer.keys); secret != nullptr) {
      WarnOfSecretFile(secret->current, warnings);
      if (secret->previous.has_value()) WarnOfSecretFile(*secret->previous, warnings);
    }
  }
  if (config.issuers.size() > 1 && !config.policy.has_value()) {
    warnings.push_back(
        "with several issuers and no policy Authorize denies everything: nothing says whose "
        "subjects own what");
  }
  return warnings;
}

}  // namespace gatehouse
