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

void TellInForce(absl::string_view event, const tls::Material& material) {
  const auto& roots = material.client_ca_until;
  log::Info(event, {{"certificate_until", Text(material.certificate_until)},
                    {"client_ca_until", roots.has_value() ? Text(*roots) : ""}});
  for (const std::string& warning : material.warnings) log::Warning(warning);
}

}  // namespace

absl::Status CheckCertificates(const std::optional<config::Tls>& tls, const Clock& clock) {
  if (!tls.has_value()) return absl::OkStatus();
  return tls::Load(FilesOf(*tls), clock.Now()).status();
}

Certificates::Certificates(const config::Tls& tls, const Clock& clock)
    : files_(FilesOf(tls)), clock_(clock), watch_(PathsOf(files_)) {}

absl::StatusOr<std::unique_ptr<Certificates>> Certificates::Load(const config::Tls& tls,
                                                                 const Clock& clock) {
  // Looks first: what changes while it is read is noticed.
  std::unique_ptr<Certificates> out(new Certificates(tls, clock));
  GH_ASSIGN_OR_RETURN(std::shared_ptr<const tls::Material> first,
                      tls::Load(out->files_, clock.Now()));
  TellInForce("certificates in force", *first);
  MutexLock lock(out->mu_);
  out->current_ = std::move(first);
  return out;
}

std::shared_ptr<const tls::Material> Certificates::Current() const {
  MutexLock lock(mu_);
  return current_;
}

void Certificates::Look(frontend::TlsMetrics& metrics) {
  switch (watch_.LookAgain()) {
    case FileWatch::Look::kChanged:
      return Renew(metrics);
    case FileWatch::Look::kChanging:
      return;
    case FileWatch::Look::kSame:
      if (!status_.ok() && ++looks_since_ >= kLooksBetweenTries) Renew(metrics);
      return;
  }
}

void Certificates::Renew(frontend::TlsMetrics& metrics) {
  looks_since_ = 0;
  watch_.Settle();
  auto next = tls::Load(files_, clock_.Now());
  const absl::Status told = std::exchange(status_, next.status());
  if (!next.ok()) {
    if (status_ == told) return;
    Tell(status_);
    metrics.refused_reloads.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  TellInForce("certificates reloaded", **next);
  metrics.SetInForce((*next)->certificate_until, (*next)->client_ca_until);
  {
    MutexLock lock(mu_);
    current_ = *std::move(next);
  }
  // Whoever sees this count finds what it is about in force.
  metrics.reloads.fetch_add(1, std::memory_order_release);
}

void Certificates::Tell(const absl::Status& refused) {
  for (const absl::string_view finding : absl::StrSplit(refused.message(), '\n')) {
    log::Error("certificates refused", {{"finding", finding}});
  }
  log::Error("the certificates from before stay in force");
}

}  // namespace gatehouse
