#include "server/server.h"

#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/cpus.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/frontend/authorization_service.h"
#include "server/frontend/callers.h"
#include "server/frontend/grpc_server.h"
#include "server/frontend/http_server.h"
#include "server/frontend/metrics.h"
#include "server/frontend/readiness.h"
#include "server/frontend/ruleset.h"
#include "server/issuer_keys.h"
#include "server/revocation/index.h"
#include "server/revocation/sqlite_store.h"
#include "server/rules_builder.h"

namespace gatehouse {
namespace {

class RunningServer final : public Server {
 public:
  explicit RunningServer(const Clock& clock) : builder_(index_, numbers_, clock) {}

  absl::Status Start(const config::Config& config, const Clock& clock,
                     const ServerOptions& options) {
    GH_ASSIGN_OR_RETURN(auto rules, builder_.Build(config));
    rulesets_.emplace(std::move(rules));
    metrics_.emplace(*rulesets_, index_, numbers_);
    readiness_.emplace(*rulesets_);
    GH_ASSIGN_OR_RETURN(
        store_, revocation::OpenSqliteStore(
                    {.path = config.sqlite_path,
                     .keep = config.keep,
                     .audit = config.audit,
                     .saw_good_token = [this] { return index_.saw_good_token(); },
                     .take_refused_sessions = [this] { return index_.TakeRefusedSessions(); }},
                    clock, index_));
    service_ = std::make_unique<frontend::AuthorizationService>(
        *rulesets_, *store_, *metrics_, clock,
        config.backups.has_value() ? config.backups->path : std::string());
    GH_ASSIGN_OR_RETURN(http_, frontend::HttpServer::Start(
                                   config.http.host, config.http.port,
                                   [this](const std::string& path) { return HttpReply(path); }));
    const int threads = options.threads > 0 ? options.threads : UsableCpus();
    GH_ASSIGN_OR_RETURN(grpc_, frontend::GrpcServer::Start({config.grpc.ToString(), threads},
                                                           *service_, *metrics_, clock));

    config::Endpoint grpc = config.grpc;
    config::Endpoint http = config.http;
    grpc.port = static_cast<uint16_t>(grpc_->port());
    http.port = http_->port();
    log::Info("listening", {{"grpc", grpc.ToString()},
                            {"http", http.ToString()},
                            {"threads", threads},
                            {"revocations", index_.size()},
                            {"store", store_->store_id()}});
    readiness_->Start([this](const std::string& name, std::optional<bool> serving) {
      if (serving.has_value()) return grpc_->SetServing(name, *serving);
      grpc_->Forget(name);
    });
    return absl::OkStatus();
  }

  void Shutdown(absl::Duration grace) override {
    readiness_->Stop();
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
      return {.status = readiness_->ready() ? 200 : 503, .body = readiness_->Text()};
    }
    if (path == "/metrics") {
      return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_->Text()};
    }
    return {.status = 404, .body = "there is /livez, /readyz and /metrics\n"};
  }

  revocation::RevocationIndex index_;
  frontend::CallerNumbers numbers_;
  RulesBuilder builder_;
  // Set by Start, as all that follows.
  std::optional<frontend::Rulesets> rulesets_;
  std::optional<frontend::Metrics> metrics_;
  std::unique_ptr<revocation::RevocationStore> store_;
  std::unique_ptr<frontend::AuthorizationService> service_;
  std::optional<frontend::Readiness> readiness_;
  std::unique_ptr<frontend::GrpcServer> grpc_;
  std::unique_ptr<frontend::HttpServer> http_;
};

}  // namespace

absl::Status CreateStore(const config::Config& config) {
  return revocation::CreateSqliteDatabase(config.sqlite_path);
}

absl::StatusOr<std::string> RestoreStore(const std::string& backup, const config::Config& config) {
  revocation::RestoreReport report;
  GH_RETURN_IF_ERROR(revocation::RestoreSqliteDatabase(backup, config.sqlite_path, report));
  const std::string newest =
      report.newest == absl::InfinitePast()
          ? "knows no revocations"
          : absl::StrCat("knows revocations up to ",
                         absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", report.newest, absl::UTCTimeZone()),
                         ": what was revoked or taken back later must be done again");
  return absl::StrCat("  revision  ", report.revision, "\n  facts     ", report.facts,
                      "\n  store id  ", report.store_id, " (a new one)\n", newest, "\n");
}

absl::Status CheckKeys(const config::Config& config) {
  std::vector<absl::Status> faults;
  for (const config::Issuer& issuer : config.issuers) {
    for (absl::Status& fault : FindKeyFaults(issuer)) faults.push_back(std::move(fault));
  }
  if (config.backups.has_value()) {
    std::error_code error;
    if (!std::filesystem::is_directory(config.backups->path, error)) {
      faults.push_back(absl::NotFoundError(absl::StrCat(
          config.backups->place, ": ", log::Escape(config.backups->path, 256),
          " is no folder that can be reached; make it, for this server alone (mode 0700)")));
    }
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
  auto server = std::make_unique<RunningServer>(clock);
  GH_RETURN_IF_ERROR(server->Start(config, clock, options));
  return server;
}

}  // namespace gatehouse
