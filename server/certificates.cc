#include "server/certificates.h"

#include <utility>

#include "absl/strings/str_split.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"

namespace gatehouse {
namespace {

constexpr int kLooksBetweenTries = 5;

tls::Files FilesOf(const config::Tls& tls) {
  tls::Files files{.certificate = {.path = tls.cert_file, .place = tls.cert_place},
                   .key = {.path = tls.key_file, .place = tls.key_place},
                   .client_ca = std::nullopt};
  if (!tls.client_ca_file.empty()) {
    files.client_ca = tls::NamedFile{.path = tls.client_ca_file, .place = tls.client_ca_place};
  }
  return files;
}

std::vector<std::string> PathsOf(const tls::Files& files) {
  std::vector<std::string> paths = {files.certificate.path, files.key.path};
  if (files.client_ca.has_value()) paths.push_back(files.client_ca->path);
  return paths;
}

std::string Text(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

void TellRefused(const absl::Status& refused) {
  for (const absl::string_view finding : absl::StrSplit(refused.message(), '\n')) {
    log::Error("certificates refused", {{"finding", finding}});
  }
  log::Error("the certificates from before stay in force");
}

}  // namespace

absl::StatusOr<std::vector<std::string>> CheckCertificates(const std::optional<config::Tls>& tls,
                                                           const Clock& clock) {
  if (!tls.has_value()) return std::vector<std::string>();
  GH_ASSIGN_OR_RETURN(const std::shared_ptr<const tls::Material> material,
                      tls::Load(FilesOf(*tls), clock.Now()));
  return material->warnings;
}

Certificates::Certificates(const config::Tls& tls, frontend::TlsMetrics& metrics,
                           const Clock& clock)
    : files_(FilesOf(tls)), metrics_(metrics), clock_(clock), watch_(PathsOf(files_)) {}

absl::StatusOr<std::unique_ptr<Certificates>> Certificates::Load(const config::Tls& tls,
                                                                 frontend::TlsMetrics& metrics,
                                                                 const Clock& clock) {
  // Looks first: what changes while it is read is noticed.
  std::unique_ptr<Certificates> out(new Certificates(tls, metrics, clock));
  GH_ASSIGN_OR_RETURN(const std::shared_ptr<const tls::Material> first,
                      tls::Load(out->files_, clock.Now()));
  out->PutInForce("certificates in force", first);
  return out;
}

std::shared_ptr<const tls::Material> Certificates::Current() const {
  MutexLock lock(mu_);
  return current_;
}

void Certificates::Look() {
  switch (watch_.LookAgain()) {
    case FileWatch::Look::kChanged:
      return Renew();
    case FileWatch::Look::kChanging:
      return;
    case FileWatch::Look::kSame:
      if (!status_.ok() && ++looks_since_ >= kLooksBetweenTries) Renew();
      return;
  }
}

void Certificates::Renew() {
  looks_since_ = 0;
  watch_.Settle();
  auto next = tls::Load(files_, clock_.Now());
  const absl::Status told = std::exchange(status_, next.status());
  if (!next.ok()) {
    if (status_ == told) return;
    TellRefused(status_);
    metrics_.last_reload_ok.store(false, std::memory_order_relaxed);
    // Whoever sees a count finds the lines about it in the log.
    metrics_.refused_reloads.fetch_add(1, std::memory_order_release);
    return;
  }
  PutInForce("certificates reloaded", *next);
  metrics_.last_reload_ok.store(true, std::memory_order_relaxed);
  // Whoever sees this count finds what it is about in force.
  metrics_.reloads.fetch_add(1, std::memory_order_release);
}

void Certificates::PutInForce(absl::string_view event,
                              const std::shared_ptr<const tls::Material>& material) {
  {
    MutexLock lock(mu_);
    current_ = material;
  }
  const auto& roots = material->client_ca_until;
  metrics_.SetInForce(material->certificate_until, roots);
  log::Info(event, {{"certificate_until", Text(material->certificate_until)},
                    {"client_ca_until", roots.has_value() ? Text(*roots) : ""}});
  for (const std::string& warning : material->warnings) log::Warning(warning);
}

}  // namespace gatehouse
