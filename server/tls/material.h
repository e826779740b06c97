#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/secret.h"

namespace gatehouse::tls {

// A PEM file, and where it is named: "gatehouse.yaml:3: listen.tls.cert_file".
struct NamedFile {
  std::string path;
  std::string place;
};

struct Files {
  NamedFile certificate;
  NamedFile key;
  std::optional<NamedFile> client_ca;
};

// What a server's side of TLS is made of, checked. Constant once made, so thread-safe.
struct Material {
  std::string chain;      // PEM: the server's certificate, and those that lead to its root
  Secret key;             // PEM, of the first of them
  std::string client_ca;  // PEM; empty: clients show no certificate
  // When the first certificate of each file expires.
  absl::Time certificate_until;
  std::optional<absl::Time> client_ca_until;
  // What is allowed and an operator should know.
  std::vector<std::string> warnings;
};

// Reads all of them, and checks them together: it is all or nothing. NOT_FOUND or
// INVALID_ARGUMENT with every fault, one a line, each "place: path:line: what is wrong". Holds
// nothing of a key.
absl::StatusOr<std::shared_ptr<const Material>> Load(const Files& files, absl::Time now);

}  // namespace gatehouse::tls
