#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/tls/openssl.h"

namespace gatehouse::tls {

// Certificates of one file, in its order. Their keys are strong enough.
struct Certificates {
  std::vector<X509Ptr> all;
  std::vector<int> lines;  // where each begins

  std::string ToPem() const;
  // When the first of them expires.
  absl::Time Until() const;
};

// Reads a PEM file of certificates, at least one, each to its last byte. NOT_FOUND or
// INVALID_ARGUMENT with "path:line: what is wrong". Errors of those below are as these.
absl::StatusOr<Certificates> ReadCertificates(const std::string& path);

// Whether a server may show these at `now`: the first has a subjectAltName and may be a
// server's, each is issued by the next, and none has expired or is not valid yet.
absl::Status CheckChain(const Certificates& chain, const std::string& path, absl::Time now);

// Whether these can vouch for clients at `now`: each is a CA's, at least one is a root, and not
// all have expired. Those that have, or are not valid yet, are told in `warnings`.
absl::Status CheckRoots(const Certificates& roots, const std::string& path, absl::Time now,
                        std::vector<std::string>& warnings);

// INVALID_ARGUMENT, without a place, if `key` cannot be trusted any more.
absl::Status CheckStrength(EVP_PKEY* key);

}  // namespace gatehouse::tls
