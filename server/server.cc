#include "server/server.h"

#include <filesystem>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "server/base/cpus.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/config/issuer.h"
#include "server/engine/authorizer.h"
#include "server/engine/revoker.h"
#include "server/frontend/authorization_service.h"
#include "server/frontend/caller_tokens.h"
#include "server/frontend/callers.h"
#include "server/frontend/grpc_server.h"
#include "server/frontend/http_server.h"
#include "server/frontend/metrics.h"
#include "server/frontend/readiness.h"
#include "server/frontend/reply.h"
#include "server/keys/jwks_file.h"
#include "server/keys/jwks_url.h"
#include "server/keys/read_file.h"
#include "server/keys/static_keys.h"
#include "server/keys/url.h"
#include "server/revocation/index.h"
#include "server/revocation/sqlite_store.h"

namespace gatehouse {
namespace {

using KeySource = std::unique_ptr<keys::KeySource>;

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

absl::Status At(absl::string_view place, const absl::Status& status) {
  if (status.ok() || place.empty()) return status;
  return absl::Status(status.code(), absl::StrCat(place, ": ", status.message()));
}

keys::JwksFileOptions FileOptions(const config::KeysFile& keys, const jose::IssuerRules& rules) {
  return {.issuer = rules.issuer,
          .path = keys.path,
          .algorithms = rules.algorithms,
          .grace = keys.grace};
}

keys::JwksUrlOptions UrlOptions(const config::KeysUrl& keys, const jose::IssuerRules& rules,
                                const std::string& folder) {
  keys::JwksUrlOptions options{.issuer = rules.issuer,
                               .url = keys.url,
                               .ca_file = keys.ca_file.value_or(""),
                               .algorithms = rules.algorithms,
                               .copy_folder = folder,
                               .max_age = keys.max_age,
                               .grace = keys.grace};
  if (keys.discover) {
    options.discovery = {.issuer = rules.issuer,
                         .issuer_url = keys.url,
                         .jwks_hosts = keys.jwks_hosts,
                         .http_behind_mesh = keys.http_behind_mesh};
  }
  return options;
}

absl::StatusOr<keys::SecretKey> ReadSecret(const config::SecretPlace& place,
                                           const std::vector<jose::Algorithm>& algorithms) {
  const bool file = place.kind == config::SecretPlace::Kind::kFile;
  absl::StatusOr<Secret> secret =
      file ? keys::ReadSecretFile(place.name) : keys::ReadSecretEnv(place.name);
  if (!secret.ok()) return At(place.place, secret.status());
  auto key = keys::MakeSecretKey(*std::move(secret), algorithms);
  if (key.ok()) return key;
  const std::string name = file ? place.name : absl::StrCat("environment variable ", place.name);
  return At(place.place, At(name, key.status()));
}

// What is wrong with the files and secrets that the keys of one issuer come from, each
// with its place in the configuration.
struct FindFaults {
  const jose::IssuerRules& rules;
  std::vector<absl::Status>& faults;

  void operator()(const config::KeysUrl& keys) const {
    if (keys.ca_file.has_value()) Add(At(keys.ca_file_place, keys::CheckCaFile(*keys.ca_file)));
  }
  void operator()(const config::KeysFile& keys) const {
    Add(At(keys.place, keys::CheckJwksFile(FileOptions(keys, rules))));
  }
  void operator()(const config::KeysSecret& keys) const {
    const auto current = ReadSecret(keys.current, rules.algorithms);
    Add(current.status());
    if (!keys.previous.has_value()) return;
    const auto previous = ReadSecret(*keys.previous, rules.algorithms);
    Add(previous.status());
    if (!current.ok() || !previous.ok()) return;
    Add(At(keys.previous->place, keys::MakeSecretSource(*current, *previous).status()));
  }

  void Add(const absl::Status& status) const {
    if (!status.ok()) faults.push_back(status);
  }
};

// A source for each kind of keys.
struct MakeKeySource {
  const jose::IssuerRules& rules;
  const std::string& folder;  // of the last good copies
  const Clock& clock;

  absl::StatusOr<KeySource> operator()(const config::KeysUrl& keys) const {
    return keys::MakeJwksUrlSource(UrlOptions(keys, rules, folder), clock);
  }
  absl::StatusOr<KeySource> operator()(const config::KeysFile& keys) const {
    return keys::MakeJwksFileSource(FileOptions(keys, rules), clock);
  }
  absl::StatusOr<KeySource> operator()(const config::KeysSecret& keys) const {
    GH_ASSIGN_OR_RETURN(keys::SecretKey current, ReadSecret(keys.current, rules.algorithms));
    keys::SecretKey previous;
    if (keys.previous.has_value()) {
      GH_ASSIGN_OR_RETURN(previous, ReadSecret(*keys.previous, rules.algorithms));
    }
    return keys::MakeSecretSource(std::move(current), std::move(previous));
  }
};

void WarnOfSecretFile(const config::SecretPlace& secret, std::vector<std::string>& warnings) {
  if (secret.kind != config::SecretPlace::Kind::kFile || !keys::OthersMayRead(secret.name)) return;
  warnings.push_back(absl::StrCat(secret.place, ": ", secret.name,
                                  " may be read by its group or by others; chmod 600 it"));
}

absl::StatusOr<policy::Policy> PolicyOf(const config::Config& config) {
  if (!config.policy.has_value()) {
    return policy::Policy::Default(static_cast<int>(config.issuers.size()));
  }
  std::vector<std::string> issuers;
  issuers.reserve(config.issuers.size());
  for (const config::Issuer& issuer : config.issuers) issuers.push_back(issuer.rules.issuer);
  return policy::Policy::Compile(*config.policy, issuers);
}

class RunningServer final : public Server {
 public:
  RunningServer(std::vector<engine::TrustedIssuer> issuers, policy::Policy policy,
                frontend::CallerTable callers, const config::Config& config, const Clock& clock)
      : callers_(std::move(callers)),
        authorizer_(std::move(issuers), std::move(policy), index_, clock,
                    {.audiences = callers_.audiences(), .render = frontend::RenderPrincipal}),
        revoker_(authorizer_, config.keep, clock),
        metrics_(authorizer_, index_, callers_.names()),
        readiness_(authorizer_) {}

  absl::Status Start(const config::Config& config, const Clock& clock,
                     const ServerOptions& options) {
    GH_ASSIGN_OR_RETURN(store_,
                        revocation::OpenSqliteStore({.path = config.sqlite_path}, clock, index_));
    service_ = std::make_unique<frontend::AuthorizationService>(authorizer_, revoker_, *store_,
                                                                callers_, metrics_, clock);
    GH_ASSIGN_OR_RETURN(http_, frontend::HttpServer::Start(
                                   config.http.host, config.http.port,
                                   [this](const std::string& path) { return HttpReply(path); }));
    const int threads = options.threads > 0 ? options.threads : UsableCpus();
    GH_ASSIGN_OR_RETURN(grpc_, frontend::GrpcServer::Start({config.grpc.ToString(), threads},
                                                           *service_, metrics_, clock));

    config::Endpoint grpc = config.grpc;
    config::Endpoint http = config.http;
    grpc.port = static_cast<uint16_t>(grpc_->port());
    http.port = http_->port();
    log::Info("listening", {{"grpc", grpc.ToString()},
                            {"http", http.ToString()},
                            {"threads", threads},
                            {"revocations", index_.size()},
                            {"store", store_->store_id()}});
    readiness_.Start(
        [this](const std::string& name, bool serving) { grpc_->SetServing(name, serving); });
    return absl::OkStatus();
  }

  void Shutdown(absl::Duration grace) override {
    readiness_.Stop();
    grpc_->Shutdown(grace);
    http_.reset();
    store_.reset();
  }

  int grpc_port() const override { return grpc_->port(); }
  int http_port() const override { return http_->port(); }

 private:
  frontend::HttpReply HttpReply(const std::string& path) const {
    if (path == "/livez") return {.body = "alive\n"};
    if (path == "/readyz") {
      return {.status = readiness_.ready() ? 200 : 503, .body = readiness_.Text()};
    }
    if (path == "/metrics") {
      return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_.Text()};
    }
    return {.status = 404, .body = "there is /livez, /readyz and /metrics\n"};
  }

  const frontend::CallerTable callers_;
  revocation::RevocationIndex index_;
  engine::Authorizer authorizer_;
  engine::Revoker revoker_;
  frontend::Metrics metrics_;
  std::unique_ptr<revocation::RevocationStore> store_;
  std::unique_ptr<frontend::AuthorizationService> service_;
  frontend::Readiness readiness_;
  std::unique_ptr<frontend::GrpcServer> grpc_;
  std::unique_ptr<frontend::HttpServer> http_;
};

}  // namespace

absl::Status CreateStore(const config::Config& config) {
  return revocation::CreateSqliteDatabase(config.sqlite_path);
}

namespace {

std::vector<std::string> CallerWarnings(const config::Config& config) {
  if (config.callers.empty()) {
    return {absl::StrCat("there are no callers: whoever reaches the gRPC port ",
                         config.grpc.ToString(), " may ask and revoke")};
  }
  std::vector<std::string> warnings;
  if (!keys::IsLoopbackHost(config.grpc.host)) {
    warnings.push_back(absl::StrCat("the gRPC port ", config.grpc.ToString(),
                                    " takes tokens in plaintext: only a mesh keeps them secret"));
  }
  for (const config::Caller& caller : config.callers) {
    if (!keys::OthersMayRead(caller.token_file)) continue;
    warnings.push_back(absl::StrCat(caller.token_file, ": the token of caller ", caller.name,
                                    " can be read by others than the file's owner; chmod 600"));
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

absl::Status CheckKeys(const config::Config& config) {
  std::vector<absl::Status> faults;
  for (const config::Issuer& issuer : config.issuers) {
    std::visit(FindFaults{issuer.rules, faults}, issuer.keys);
  }
  if (const absl::Status callers = frontend::CallerTable::Load(config.callers).status();
      !callers.ok()) {
    faults.push_back(callers);
  }
  if (faults.empty()) return absl::OkStatus();
  std::vector<std::string> lines;
  lines.reserve(faults.size());
  for (const absl::Status& fault : faults) lines.emplace_back(fault.message());
  return absl::Status(faults[0].code(), absl::StrJoin(lines, "\n"));
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const config::Config& config,
                                                      const Clock& clock,
                                                      const ServerOptions& options) {
  for (const std::string& warning : Warnings(config)) log::Warning(warning);
  GH_RETURN_IF_ERROR(CheckKeys(config));
  GH_ASSIGN_OR_RETURN(frontend::CallerTable callers, frontend::CallerTable::Load(config.callers));
  const std::string folder = FolderOf(config.sqlite_path);
  std::vector<engine::TrustedIssuer> issuers;
  for (const config::Issuer& issuer : config.issuers) {
    GH_ASSIGN_OR_RETURN(KeySource keys,
                        std::visit(MakeKeySource{issuer.rules, folder, clock}, issuer.keys));
    issuers.push_back({issuer.rules, std::move(keys)});
  }
  GH_ASSIGN_OR_RETURN(policy::Policy policy, PolicyOf(config));
  auto server = std::make_unique<RunningServer>(std::move(issuers), std::move(policy),
                                                std::move(callers), config, clock);
  GH_RETURN_IF_ERROR(server->Start(config, clock, options));
  return server;
}

}  // namespace gatehouse
