#include "server/issuer_keys.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/keys/jwks_file.h"
#include "server/keys/jwks_url.h"
#include "server/keys/static_keys.h"
#include "server/tls/certificate.h"

namespace gatehouse {
namespace {

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

struct FindFaults {
  const jose::IssuerRules& rules;
  std::vector<absl::Status>& faults;

  void operator()(const config::KeysUrl& keys) const {
    if (keys.ca_file.has_value()) {
      Add(At(keys.ca_file_place, tls::ReadCertificates(*keys.ca_file).status()));
    }
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
struct MakeSource {
  const jose::IssuerRules& rules;
  const std::string& folder;  // of the last good copies
  const Clock& clock;

  absl::StatusOr<std::unique_ptr<keys::KeySource>> operator()(const config::KeysUrl& keys) const {
    return keys::MakeJwksUrlSource(UrlOptions(keys, rules, folder), clock);
  }
  absl::StatusOr<std::unique_ptr<keys::KeySource>> operator()(const config::KeysFile& keys) const {
    return keys::MakeJwksFileSource(FileOptions(keys, rules), clock);
  }
  absl::StatusOr<std::unique_ptr<keys::KeySource>> operator()(
      const config::KeysSecret& keys) const {
    GH_ASSIGN_OR_RETURN(keys::SecretKey current, ReadSecret(keys.current, rules.algorithms));
    keys::SecretKey previous;
    if (keys.previous.has_value()) {
      GH_ASSIGN_OR_RETURN(previous, ReadSecret(*keys.previous, rules.algorithms));
    }
    return keys::MakeSecretSource(std::move(current), std::move(previous));
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<keys::KeySource>> MakeKeySource(const config::Issuer& issuer,
                                                               const std::string& folder,
                                                               const Clock& clock) {
  return std::visit(MakeSource{issuer.rules, folder, clock}, issuer.keys);
}

std::vector<absl::Status> FindKeyFaults(const config::Issuer& issuer) {
  std::vector<absl::Status> faults;
  std::visit(FindFaults{issuer.rules, faults}, issuer.keys);
  return faults;
}

}  // namespace gatehouse
