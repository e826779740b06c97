#include "server/server.h"

#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/cpus.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
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
#include "server/keys/jwks_url.h"
#include "server/keys/static_keys.h"
#include "server/keys/url.h"
#include "server/revocation/index.h"
#include "server/revocation/sqlite_store.h"

namespace gatehouse {
namespace {

using KeySource = std::unique_ptr<keys::KeySource>;

// A source for each kind of keys. Null for a URL, where `without_network`.
struct MakeKeySource {
  const jose::IssuerRules& rules;
  const Clock& clock;
  bool without_network;

  absl::StatusOr<KeySource> operator()(const config::KeysUrl& keys) const {
    if (without_network) return KeySource();
    return keys::MakeJwksUrlSource(
        {.issuer = rules.issuer, .url = keys.url, .algorithms = rules.algorithms}, clock);
  }
  absl::StatusOr<KeySource> operator()(const config::KeysFile& keys) const {
    return keys::MakeJwksFileSource(keys.path, rules.algorithms);
  }
  absl::StatusOr<KeySource> operator()(const config::KeysSecret& keys) const {
    const std::string& name = keys.current.name;
    if (keys.current.kind == config::SecretPlace::Kind::kFile) {
      return FromSecret(keys::ReadSecretFile(name), name);
    }
    return FromSecret(keys::ReadSecretEnv(name), absl::StrCat("environment variable ", name));
  }

  static absl::StatusOr<KeySource> FromSecret(absl::StatusOr<Secret> secret,
                                              absl::string_view place) {
    if (!secret.ok()) return secret.status();
    auto source = keys::MakeSecretSource(*std::move(secret));
    if (source.ok()) return source;
    return absl::Status(source.status().code(),
                        absl::StrCat(place, ": ", source.status().message()));
  }
};

absl::StatusOr<KeySource> KeysOf(const config::Issuer& issuer, const Clock& clock,
                                 bool without_network) {
  auto source = std::visit(MakeKeySource{issuer.rules, clock, without_network}, issuer.keys);
  if (source.ok()) return source;
  return absl::Status(
      source.status().code(),
      absl::StrCat("the keys of issuer ", issuer.rules.issuer, ": ", source.status().message()));
}

class RunningServer final : public Server {
 public:
  RunningServer(std::vector<engine::TrustedIssuer> issuers, frontend::CallerTable callers,
                const config::Config& config, const Clock& clock)
      : callers_(std::move(callers)),
        authorizer_(std::move(issuers),
                    policy::Policy::Default(static_cast<int>(config.issuers.size())), index_, clock,
                    {.audiences = callers_.audiences(), .render = frontend::RenderPrincipal}),
        revoker_(authorizer_, config.keep, clock),
        metrics_(authorizer_, index_, clock, callers_.names()),
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
    if (!frontend::IsOpenToOthers(caller.token_file)) continue;
    warnings.push_back(absl::StrCat(caller.token_file, ": the token of caller ", caller.name,
                                    " can be read by others than the file's owner; chmod 600"));
  }
  return warnings;
}

}  // namespace

std::vector<std::string> Warnings(const config::Config& config) {
  std::vector<std::string> warnings = CallerWarnings(config);
  for (const config::Issuer& issuer : config.issuers) {
    const std::string& name = issuer.rules.issuer;
    if (issuer.development_key_file.has_value()) {
      warnings.push_back(
          absl::StrCat("issuer ", name, " is one for development: never in production"));
    }
    if (issuer.rules.allow_missing_iat) {
      warnings.push_back(absl::StrCat("issuer ", name, ": tokens without iat are accepted"));
    }
  }
  if (config.issuers.size() > 1) {
    warnings.push_back(
        "with several issuers Authorize denies everything: nothing says whose subjects own what");
  }
  return warnings;
}

absl::Status CheckKeys(const config::Config& config) {
  for (const config::Issuer& issuer : config.issuers) {
    GH_RETURN_IF_ERROR(KeysOf(issuer, SystemClock(), /*without_network=*/true).status());
  }
  return frontend::CallerTable::Load(config.callers).status();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const config::Config& config,
                                                      const Clock& clock,
                                                      const ServerOptions& options) {
  for (const std::string& warning : Warnings(config)) log::Warning(warning);
  GH_ASSIGN_OR_RETURN(frontend::CallerTable callers, frontend::CallerTable::Load(config.callers));
  std::vector<engine::TrustedIssuer> issuers;
  for (const config::Issuer& issuer : config.issuers) {
    GH_ASSIGN_OR_RETURN(KeySource keys, KeysOf(issuer, clock, /*without_network=*/false));
    issuers.push_back({issuer.rules, std::move(keys)});
  }
  auto server =
      std::make_unique<RunningServer>(std::move(issuers), std::move(callers), config, clock);
  GH_RETURN_IF_ERROR(server->Start(config, clock, options));
  return server;
}

}  // namespace gatehouse
