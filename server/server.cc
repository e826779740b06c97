#include "server/server.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/base/clock.h"
#include "server/base/cpus.h"
#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/base/status_macros.h"
#include "server/certificates.h"
#include "server/config/listen.h"
#include "server/fixed_fields.h"
#include "server/frontend/authorization_service.h"
#include "server/frontend/callers.h"
#include "server/frontend/decision_log.h"
#include "server/frontend/grpc_server.h"
#include "server/frontend/health_server.h"
#include "server/frontend/key_departures.h"
#include "server/frontend/metrics.h"
#include "server/frontend/peer.h"
#include "server/frontend/readiness.h"
#include "server/frontend/ruleset.h"
#include "server/frontend/tls_credentials.h"
#include "server/http_ports.h"
#include "server/issuer_keys.h"
#include "server/revocation/change_feed.h"
#include "server/revocation/index.h"
#include "server/revocation/sqlite_store.h"
#include "server/rules_builder.h"

namespace gatehouse {
namespace {

// Nobody is told of a change before it counts.
class IndexFirst final : public revocation::RevocationListener {
 public:
  IndexFirst(revocation::RevocationListener& index, revocation::RevocationListener& feed)
      : index_(index), feed_(feed) {}

  void OnLoading(size_t tags) override {
    index_.OnLoading(tags);
    feed_.OnLoading(tags);
  }
  void OnStep(const revocation::StoreStep& step) override {
    index_.OnStep(step);
    feed_.OnStep(step);
  }

 private:
  revocation::RevocationListener& index_;
  revocation::RevocationListener& feed_;
};

// "file:line: field: ..." as "file: field: ...", which is the same wherever it moves to.
std::string WithoutLine(const std::string& warning) {
  const size_t end = warning.find(": ");
  if (end == std::string::npos || end == 0 || absl::StartsWith(warning, "issuer ")) return warning;
  const size_t colon = warning.find_last_not_of("0123456789", end - 1);
  if (colon == std::string::npos || warning[colon] != ':') return warning;
  return absl::StrCat(warning.substr(0, colon), warning.substr(end));
}

class RunningServer final : public Server {
 public:
  explicit RunningServer(const Clock& clock)
      : clock_(clock), builder_(index_, numbers_, decisions_, clock) {}

  // As after Shutdown: what the store has to do still may end in what comes before it.
  ~RunningServer() override {
    if (http_ != nullptr) http_->Close();
    store_.reset();
  }

  absl::Status Start(const config::Config& config, const ServerOptions& options) GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    TellNewWarnings(config);
    if (config.tls.has_value()) {
      GH_ASSIGN_OR_RETURN(certificates_, Certificates::Load(*config.tls, tls_, clock_));
    }
    GH_ASSIGN_OR_RETURN(RulesBuilder::Built built, builder_.Build(config));
    fixed_ = config;
    rulesets_.emplace(std::move(built.rules));
    metrics_.emplace(*rulesets_, index_, store_counters_, numbers_, decisions_, tls_, clock_);
    readiness_.emplace(*rulesets_);
    GH_ASSIGN_OR_RETURN(
        store_, revocation::OpenSqliteStore(
                    {.path = config.sqlite_path,
                     .audit = config.audit,
                     .keep = [this] { return rulesets_->Current()->revoker.keep(); },
                     .saw_good_token = [this] { return index_.TakeSawGoodToken(); },
                     .take_refused_sessions = [this] { return index_.TakeRefusedSessions(); },
                     .counters = &store_counters_},
                    clock_, listener_));
    service_ = std::make_unique<frontend::AuthorizationService>(
        *rulesets_, *store_, feed_, *metrics_, clock_, BackupsOf(config),
        frontend::PeerTrust(config));
    http_ = std::make_unique<HttpPorts>(
        HttpPorts::Parts{*rulesets_, *service_, *store_, *readiness_, *metrics_, clock_});
    GH_RETURN_IF_ERROR(http_->Listen(config));
    const int threads = options.threads > 0 ? options.threads : UsableCpus();
    if (config.health.has_value()) {
      GH_ASSIGN_OR_RETURN(health_, frontend::HealthServer::Start(config.health->ToString()));
    }
    GH_ASSIGN_OR_RETURN(grpc_, frontend::GrpcServer::Start({.address = config.grpc.ToString(),
                                                            .threads = threads,
                                                            .credentials = Credentials(),
                                                            .encrypted = config.tls.has_value(),
                                                            .connections = config.connections},
                                                           *service_, *metrics_, clock_));

    log::Info("listening",
              {{"grpc", AddressOf(config.grpc, grpc_->port())},
               {"http", AddressOf(config.http, http_->port())},
               {"health", health_ == nullptr ? "" : AddressOf(*config.health, health_->port())},
               {"oauth", http_->has_oauth() ? "yes" : "no"},
               {"forward_auth", ForwardAuthAddresses(config)},
               {"tls", KindOfTls(config)},
               {"threads", threads},
               {"revocations", index_.size()},
               {"store", store_->store_id()}});
    readiness_->Start(
        [this](const std::string& name, std::optional<bool> serving) { Tell(name, serving); },
        [this] { feed_.KeysGone(departures_.Look(*rulesets_->Current())); });
    return absl::OkStatus();
  }

  absl::Status Reload(const absl::StatusOr<config::Config>& config) override GH_EXCLUDES(mu_) {
    return Retry(config, absl::OkStatus());
  }

  absl::Status Retry(const absl::StatusOr<config::Config>& config,
                     const absl::Status& told) override GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    absl::Status status = config.ok() ? PutInForce(*config) : config.status();
    if (!status.ok() && status == told) return status;
    if (!status.ok()) TellRefused(status);
    metrics_->CountReload(status.ok(), clock_.Now());
    return status;
  }

  size_t FreeReplaced() override { return rulesets_->FreeRetired(); }

  void LookAtCertificates() override {
    if (certificates_ != nullptr) certificates_->Look();
  }

  void Shutdown(absl::Duration grace) override {
    const absl::Duration for_rest = std::min(grace / kRestShare, kRestGrace);
    readiness_->Stop();
    if (health_ != nullptr) health_->Drain();
    grpc_->Shutdown(grace - for_rest);
    http_->Shutdown(for_rest / 2);
    store_.reset();
    if (health_ != nullptr) health_->Shutdown(for_rest / 2);
  }

  int grpc_port() const override { return grpc_->port(); }
  int http_port() const override { return http_->port(); }
  std::vector<int> forward_auth_ports() const override { return http_->forward_auth_ports(); }

 private:
  // How long a stop leaves to the HTTP ports and then to health, together: nothing waits
  // longer than a second for the store. Of a short one, a part.
  static constexpr absl::Duration kRestGrace = absl::Seconds(2);
  static constexpr int64_t kRestShare = 5;

  // With the port that it has got.
  static std::string AddressOf(config::Endpoint endpoint, int port) {
    endpoint.port = static_cast<uint16_t>(port);
    return endpoint.ToString();
  }

  // What Readiness reports.
  void Tell(const std::string& name, std::optional<bool> serving) const {
    if (!serving.has_value()) {
      grpc_->Forget(name);
      if (health_ != nullptr) health_->Forget(name);
      return;
    }
    grpc_->SetServing(name, *serving);
    if (health_ != nullptr) health_->SetServing(name, *serving);
  }

  std::shared_ptr<grpc::ServerCredentials> Credentials() const {
    if (certificates_ == nullptr) return grpc::InsecureServerCredentials();
    return frontend::MakeTlsCredentials(
        [certificates = certificates_.get()] { return certificates->Current(); }, clock_);
  }

  static absl::string_view KindOfTls(const config::Config& config) {
    if (!config.tls.has_value()) return "no";
    return config.tls->client_ca_file.empty() ? "yes" : "with client certificates";
  }

  // "127.0.0.1:7072 nginx, ..."; empty without any.
  std::string ForwardAuthAddresses(const config::Config& config) const {
    std::vector<std::string> addresses;
    const std::vector<int> ports = http_->forward_auth_ports();
    addresses.reserve(ports.size());
    for (size_t i = 0; i < ports.size(); ++i) {
      const config::ForwardAuth& one = config.forward_auth[i];
      addresses.push_back(
          absl::StrCat(AddressOf(one.address, ports[i]), " ", config::NameOf(one.dialect)));
    }
    return absl::StrJoin(addresses, ", ");
  }

  absl::Status PutInForce(const config::Config& config) GH_REQUIRES(mu_) {
    GH_RETURN_IF_ERROR(CheckFixed(fixed_, config));
    GH_ASSIGN_OR_RETURN(RulesBuilder::Built built, builder_.Build(config));
    rulesets_->Replace(std::move(built.rules));
    grpc_->Refresh();
    feed_.Nudge();
    TellNewWarnings(config);
    log::Info("configuration reloaded",
              {{"changed", built.changed.empty() ? "nothing" : absl::StrJoin(built.changed, ", ")},
               {"remembered_tokens", built.keeps_tokens ? "kept" : "forgotten"}});
    return absl::OkStatus();
  }

  // Those that the configuration before did not have, each once.
  void TellNewWarnings(const config::Config& config) GH_REQUIRES(mu_) {
    std::set<std::string> warnings;
    std::set<std::string> known;
    for (const std::string& warning : Warnings(config)) {
      known.insert(WithoutLine(warning));
      if (!warnings.insert(warning).second) continue;
      if (known_warnings_.count(WithoutLine(warning)) == 0) log::Warning(warning);
    }
    known_warnings_ = std::move(known);
  }

  static void TellRefused(const absl::Status& status) {
    for (const absl::string_view finding : absl::StrSplit(status.message(), '\n')) {
      log::Error("configuration refused", {{"finding", finding}});
    }
    log::Error("the configuration from before stays in force");
  }

  const Clock& clock_;
  Mutex mu_;  // of starting and reloading
  // What it was started with: some of it cannot change without a restart.
  config::Config fixed_ GH_GUARDED_BY(mu_);
  std::set<std::string> known_warnings_ GH_GUARDED_BY(mu_);  // without their lines
  revocation::RevocationIndex index_;
  revocation::ChangeFeed feed_;
  revocation::StoreCounters store_counters_;
  IndexFirst listener_{index_, feed_};
  frontend::KeyDepartures departures_;  // of the thread that looks
  frontend::CallerNumbers numbers_;
  frontend::DecisionLogCounters decisions_;
  RulesBuilder builder_ GH_GUARDED_BY(mu_);
  frontend::TlsMetrics tls_;
  // Set by Start, as all that follows.
  std::unique_ptr<Certificates> certificates_;  // null: the gRPC port is plaintext
  std::optional<frontend::Rulesets> rulesets_;
  std::optional<frontend::Metrics> metrics_;
  std::unique_ptr<revocation::RevocationStore> store_;
  std::unique_ptr<frontend::AuthorizationService> service_;
  std::optional<frontend::Readiness> readiness_;
  std::unique_ptr<frontend::HealthServer> health_;  // null: not served
  std::unique_ptr<frontend::GrpcServer> grpc_;
  std::unique_ptr<HttpPorts> http_;
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
  if (config.decision_log.has_value()) {
    const absl::Status log = frontend::DecisionLog::Check(*config.decision_log);
    if (!log.ok()) faults.push_back(log);
  }
  if (faults.empty()) return absl::OkStatus();
  std::vector<std::string> lines;
  lines.reserve(faults.size());
  for (const absl::Status& fault : faults) lines.emplace_back(fault.message());
  return absl::Status(faults[0].code(), absl::StrJoin(lines, "\n"));
}

absl::StatusOr<std::vector<std::string>> CheckCertificates(const config::Config& config) {
  return CheckCertificates(config.tls, SystemClock());
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const config::Config& config,
                                                      const Clock& clock,
                                                      const ServerOptions& options) {
  auto server = std::make_unique<RunningServer>(clock);
  GH_RETURN_IF_ERROR(server->Start(config, options));
  return server;
}

}  // namespace gatehouse
