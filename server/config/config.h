#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/jose/jwt_verifier.h"

// The configuration: YAML -> gatehouse.config.v1.Config -> this validated value.
namespace gatehouse::config {

struct Endpoint {
  std::string host;   // without the brackets of an IPv6 address
  uint16_t port = 0;  // 0: any free one

  std::string ToString() const;  // "127.0.0.1:7070", "[::1]:7070"
};

// Paths are absolute or as the configuration file's folder makes them.
struct JwksUrl {
  std::string url;
};
struct JwksFile {
  std::string path;
};
struct SecretEnv {
  std::string name;
};
struct SecretFile {
  std::string path;
};
using Keys = std::variant<JwksUrl, JwksFile, SecretEnv, SecretFile>;

struct Issuer {
  jose::IssuerRules rules;
  Keys keys;
  // The private key that `gatehouse dev-token` signs with; set: the issuer is one
  // for development.
  std::optional<std::string> development_key_file;
};

struct Config {
  Endpoint grpc;
  Endpoint http;
  std::vector<Issuer> issuers;
  std::string sqlite_path;
  absl::Duration keep;
};

// INVALID_ARGUMENT with every mistake found, one a line, each
// "file:line: field: what is wrong, and what would be right"; NOT_FOUND if there is
// no such file. Reads the file alone: keys, secrets and the database are looked at
// by those who use them.
absl::StatusOr<Config> LoadConfig(const std::string& path);

// The same for a text that was read already; `name` stands in the messages, and
// relative paths are relative to its folder.
absl::StatusOr<Config> ParseConfig(absl::string_view yaml, const std::string& name);

}  // namespace gatehouse::config
