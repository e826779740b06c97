#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/base/file_watch.h"
#include "server/base/mutex.h"
#include "server/config/config.h"
#include "server/frontend/metrics.h"
#include "server/tls/material.h"

namespace gatehouse {

// What an operator should know of the files of `listen.tls`, if they can be used now. Errors as of
// tls::Load. Nothing without them.
absl::StatusOr<std::vector<std::string>> CheckCertificates(const std::optional<config::Tls>& tls,
                                                           const Clock& clock);

// What `listen.tls` has in force, and how that is renewed: apart from the configuration, by
// looking at the files.
class Certificates {
 public:
  // The first ones. Errors as of tls::Load. `metrics` get to know what is in force until when, and
  // what is renewed or refused. They and `clock` outlive it.
  static absl::StatusOr<std::unique_ptr<Certificates>> Load(const config::Tls& tls,
                                                            frontend::TlsMetrics& metrics,
                                                            const Clock& clock);

  // Thread-safe.
  std::shared_ptr<const tls::Material> Current() const GH_EXCLUDES(mu_);

  // Looks at the files, and puts what has changed in force when two looks agree, if it is all
  // good. What is refused is told in the log and counted once for each different reason, and tried
  // again after a few looks. To be called about once a second. For one thread.
  void Look() GH_EXCLUDES(mu_);

 private:
  Certificates(const config::Tls& tls, frontend::TlsMetrics& metrics, const Clock& clock);

  void Renew() GH_EXCLUDES(mu_);
  // `event` is for the log.
  void PutInForce(absl::string_view event, const std::shared_ptr<const tls::Material>& material)
      GH_EXCLUDES(mu_);

  const tls::Files files_;
  frontend::TlsMetrics& metrics_;
  const Clock& clock_;
  // For the thread that looks.
  FileWatch watch_;
  absl::Status status_;  // of the last time
  int looks_since_ = 0;

  mutable Mutex mu_;
  std::shared_ptr<const tls::Material> current_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse
