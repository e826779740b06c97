#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/jose/openssl.h"
#include "server/tls/openssl.h"

namespace gatehouse {

// A certificate with its key, as PEM.
struct CertificateAndKey {
  std::string certificate;
  std::string key;
};

// An authority of a test's own, and what it issues.
class CertificateMaker {
 public:
  struct Form {
    // As OpenSSL's configuration has them: "DNS:localhost,URI:spiffe://a/b". Empty: no such
    // extension.
    std::string alternative_names = {};
    std::string common_name = {};
    absl::Time begin = {};
    absl::Time end = {};
    std::string usages = {};  // "serverAuth,clientAuth"; empty: no such extension
    int rsa_bits = 0;         // 0: a key of EC P-256
  };

  // A root that is valid in this time.
  CertificateMaker(const std::string& name, absl::Time begin, absl::Time end);

  // The root.
  const std::string& pem() const { return pem_; }
  CertificateAndKey Issue(const Form& form);

 private:
  const std::string name_;
  jose::EvpPkey key_;
  tls::X509Ptr root_;
  std::string pem_;
  long serial_ = 1;
};

}  // namespace gatehouse
