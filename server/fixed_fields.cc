#include "server/fixed_fields.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "server/config/listen.h"

namespace gatehouse {
namespace {

// Empty without.
std::string FilesOf(const std::optional<config::Tls>& tls) {
  if (!tls.has_value()) return "";
  return absl::StrCat(tls->cert_file, ", ", tls->key_file, tls->client_ca_file.empty() ? "" : ", ",
                      tls->client_ca_file);
}

std::string PeersOf(const std::optional<config::ForwardedClientCert>& forwarded) {
  if (!forwarded.has_value()) return "";
  return forwarded->peers.empty() ? "of whoever reaches the port"
                                  : absl::StrCat("of ", absl::StrJoin(forwarded->peers, ", "));
}

std::string HealthOf(const config::Config& config) {
  return config.health.has_value() ? config.health->ToString() : "";
}

std::string TextOf(const config::Connections& connections) {
  return absl::StrCat("max_age ", absl::FormatDuration(connections.max_age), ", max_age_grace ",
                      absl::FormatDuration(connections.max_age_grace), ", max_streams ",
                      connections.max_streams);
}

// Empty for one that there is not.
std::string ForwardAuthOf(const config::Config& config, size_t place) {
  if (place >= config.forward_auth.size()) return "";
  const config::ForwardAuth& one = config.forward_auth[place];
  return absl::StrCat(one.address.ToString(), " for ", config::NameOf(one.dialect),
                      one.caller.empty() ? "" : " as ", one.caller);
}

}  // namespace

std::string BackupsOf(const config::Config& config) {
  if (!config.backups.has_value()) return "";
  std::error_code error;
  const auto absolute = std::filesystem::absolute(config.backups->path, error);
  return error ? config.backups->path : absolute.lexically_normal().string();
}

absl::Status CheckFixed(const config::Config& fixed, const config::Config& next) {
  std::vector<std::string> faults;
  const auto check = [&faults](absl::string_view field, const std::string& before,
                               const std::string& after) {
    if (before == after) return;
    faults.push_back(absl::StrCat(field, ": is ", before.empty() ? "none" : before,
                                  " since the start; to change it to ",
                                  after.empty() ? "none" : after, " needs a restart"));
  };
  check("listen.grpc", fixed.grpc.ToString(), next.grpc.ToString());
  check("listen.http", fixed.http.ToString(), next.http.ToString());
  check("listen.tls", FilesOf(fixed.tls), FilesOf(next.tls));
  check("listen.forwarded_client_cert", PeersOf(fixed.forwarded_client_cert),
        PeersOf(next.forwarded_client_cert));
  check("listen.oauth", fixed.oauth ? "on" : "off", next.oauth ? "on" : "off");
  check("listen.health", HealthOf(fixed), HealthOf(next));
  check("listen.connections", TextOf(fixed.connections), TextOf(next.connections));
  check("listen.drain", absl::FormatDuration(fixed.drain), absl::FormatDuration(next.drain));
  for (size_t i = 0; i < std::max(fixed.forward_auth.size(), next.forward_auth.size()); ++i) {
    check(absl::StrCat("listen.forward_auth[", i, "]"), ForwardAuthOf(fixed, i),
          ForwardAuthOf(next, i));
  }
  check("revocations.sqlite.path", fixed.sqlite_path, next.sqlite_path);
  check("revocations.audit", absl::FormatDuration(fixed.audit), absl::FormatDuration(next.audit));
  check("revocations.backups", BackupsOf(fixed), BackupsOf(next));
  if (faults.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrJoin(faults, "\n"));
}

}  // namespace gatehouse
