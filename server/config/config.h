#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/edge/settings.h"
#include "server/jose/jwt_verifier.h"
#include "server/policy/definition.h"
#include "server/policy/route.h"

// The configuration: YAML -> gatehouse.config.v1.Config -> this validated value.
namespace gatehouse::config {

struct Endpoint {
  std::string host = {};       // without the brackets of an IPv6 address
  uint16_t port = 0;           // 0: any free one
  std::string unix_path = {};  // of a Unix socket; then there is no host and no port

  std::string ToString() const;  // "127.0.0.1:7070", "[::1]:7070", "unix:/run/gatehouse.sock"
  // Whether nobody on another machine reaches it.
  bool IsLocal() const;

  bool operator==(const Endpoint& other) const = default;
};

// Paths are absolute or as the configuration file's folder makes them. A place is
// where the field stands, "gatehouse.yaml:6: issuers[0].keys.jwks_file", for what is
// found out about its file later.

// A JWK Set behind a URL, or found by OpenID Connect discovery.
struct KeysUrl {
  std::string url = {};  // the set's, or the issuer's where `discover`
  bool discover = false;
  std::vector<std::string> jwks_hosts = {};  // further ones that a discovered set may be on
  bool http_behind_mesh = false;
  std::optional<std::string> ca_file = {};
  std::string ca_file_place = {};
  absl::Duration max_age = absl::Hours(24);
  absl::Duration grace = absl::Minutes(1);

  bool operator==(const KeysUrl& other) const = default;
};
struct KeysFile {
  std::string path = {};
  std::string place = {};
  absl::Duration grace = absl::Minutes(1);

  bool operator==(const KeysFile& other) const = default;
};
// Where a secret stands: an environment variable's name, or a file's path.
struct SecretPlace {
  enum class Kind { kEnv, kFile };
  Kind kind = Kind::kEnv;
  std::string name = {};
  std::string place = {};

  bool operator==(const SecretPlace& other) const = default;
};
struct KeysSecret {
  SecretPlace current = {};
  std::optional<SecretPlace> previous = {};

  bool operator==(const KeysSecret& other) const = default;
};
using Keys = std::variant<KeysUrl, KeysFile, KeysSecret>;

struct Issuer {
  jose::IssuerRules rules;
  Keys keys;
  // The private key that `gatehouse dev-token` signs with; set: the issuer is one
  // for development.
  std::optional<std::string> development_key_file;
};

// What a caller may ask for.
enum class Right {
  kVerify,
  kAuthorize,
  kFilter,
  kCheck,
  kWatch,
  kExplain,
  kRevoke,
  kReinstate,
  kList,
  kIntrospect,
  kAdmin
};
inline constexpr size_t kRights = 11;

struct Caller {
  std::string name;
  std::string token_file = {};         // empty: none
  std::vector<Right> may;              // never empty
  std::vector<std::string> audiences;  // empty: the issuer's are enough
  std::string place = {};              // of token_file, or else of the caller
  // At least one of these and token_file.
  std::vector<std::string> spiffe_ids = {};  // or "spiffe://example.org/ns/web/*"
  std::vector<std::string> dns_names = {};   // lower case
};

// The files of the gRPC port's TLS.
struct Tls {
  std::string cert_file = {};
  std::string key_file = {};
  std::string client_ca_file = {};  // empty: no certificate is asked for
  // Where they are named.
  std::string cert_place = {};
  std::string key_place = {};
  std::string client_ca_place = {};
};

// As the message of this name.
struct ForwardedClientCert {
  std::vector<std::string> peers = {};  // empty: whoever reaches the port is believed

  bool operator==(const ForwardedClientCert& other) const = default;
};

// As the message of this name.
struct Connections {
  absl::Duration max_age = absl::Minutes(10);  // zero: without end
  absl::Duration max_age_grace = absl::Seconds(30);
  int max_streams = 256;

  bool operator==(const Connections& other) const = default;
};

// A port that one kind of proxy asks over HTTP.
struct ForwardAuth {
  enum class Dialect { kNginx, kTraefik, kCaddy };
  Endpoint address = {};
  Dialect dialect = Dialect::kNginx;
  std::string caller = {};  // who asks; empty: each request says that itself

  bool operator==(const ForwardAuth& other) const = default;
};

// The folder that backups of the revocations are made in.
struct BackupFolder {
  std::string path = {};
  std::string place = {};
};

// A policy to be tried beside the one in force.
struct ShadowPolicy {
  policy::Definition policy = {};
  int percent = 100;  // of the calls

  bool operator==(const ShadowPolicy& other) const = default;
};

// A file that is no decision log's, and what it is: "the database".
struct KeptFile {
  std::string path;
  std::string what;

  bool operator==(const KeptFile& other) const = default;
};

// As the message of this name.
struct DecisionLog {
  std::string path = {};
  std::string place = {};  // of path
  int64_t max_bytes = int64_t{64} * 1024 * 1024;
  int keep_files = 4;
  int allowed_percent = 1;
  int denials_per_second = 100;
  bool without_facts = false;
  // What must never be opened to be written to: to close the database would even unlock it.
  std::vector<KeptFile> kept = {};

  bool operator==(const DecisionLog& other) const = default;
};

struct Config {
  Endpoint grpc;
  Endpoint http;
  std::vector<ForwardAuth> forward_auth = {};
  bool oauth = false;           // revocation and introspection on `http`
  std::optional<Tls> tls = {};  // of `grpc`
  std::optional<ForwardedClientCert> forwarded_client_cert = {};  // on `grpc`
  std::optional<Endpoint> health = {};                            // probes' own port
  Connections connections = {};                                   // of `grpc`
  absl::Duration drain = absl::Seconds(10);
  std::vector<Issuer> issuers;
  // Unset: the owner of a thing may do everything with it, if there is one issuer.
  std::optional<policy::Definition> policy;
  std::optional<ShadowPolicy> shadow;
  std::optional<DecisionLog> decision_log;
  // The files and folders that a policy was read from, beside the configuration itself.
  std::vector<std::string> policy_paths;
  // What is allowed and an operator should know: "file:line: field: ...".
  std::vector<std::string> warnings;
  // They compile. Empty: whatever a proxy asks about is denied.
  std::vector<policy::Route> routes = {};
  edge::Settings edge = {};
  std::vector<Caller> callers;  // empty: whoever reaches the port has all rights
  std::string sqlite_path;
  absl::Duration keep;
  // How long a revocation that has ended is still listed.
  absl::Duration audit = absl::Hours(2160);
  std::optional<BackupFolder> backups;
  // A hash of what answers follow from: policy, issuers and callers. Equal for a file that
  // says the same in another form; 32 hexadecimal digits.
  std::string rules;
  // How long answers may be remembered by those who watch; zero: not at all.
  absl::Duration remember_for = absl::Seconds(30);
};

// INVALID_ARGUMENT with every mistake found, one a line, each
// "file:line: field: what is wrong, and what would be right"; NOT_FOUND if there is
// no such file. Reads the file and those of its policy alone: keys, secrets and the database
// are looked at by those who use them.
absl::StatusOr<Config> LoadConfig(const std::string& path);

// The same for a text that was read already; `name` stands in the messages, and
// relative paths are relative to its folder.
absl::StatusOr<Config> ParseConfig(absl::string_view yaml, const std::string& name);

}  // namespace gatehouse::config
