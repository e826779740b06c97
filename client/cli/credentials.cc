#include "client/cli/credentials.h"

#include <openssl/x509.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/output.h"
#include "server/base/status_macros.h"
#include "server/tls/certificate.h"
#include "server/tls/private_key.h"

namespace gatehouse::cli {
namespace {

// "--ca-file: the file ..."
absl::Status Of(const char* option, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(option, ": ", Printable(status.message())));
}

absl::StatusOr<tls::Certificates> Read(const char* option, const std::string& file) {
  auto certificates = tls::ReadCertificates(file);
  if (!certificates.ok()) return Of(option, certificates.status());
  return certificates;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(const TlsOptions& tls) {
  if (tls.ca_file.empty()) {
    for (const auto& [option, value] :
         {std::pair{"--cert-file", &tls.cert_file}, std::pair{"--key-file", &tls.key_file},
          std::pair{"--server-name", &tls.server_name}}) {
      if (value->empty()) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          option,
          " needs --ca-file FILE: without it calls are in plaintext, with no certificates"));
    }
    return grpc::InsecureChannelCredentials();
  }
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    return absl::InvalidArgumentError("--cert-file and --key-file go together: name both");
  }
  grpc::SslCredentialsOptions options;
  GH_ASSIGN_OR_RETURN(const tls::Certificates roots, Read("--ca-file", tls.ca_file));
  options.pem_root_certs = roots.ToPem();
  if (!tls.cert_file.empty()) {
    GH_ASSIGN_OR_RETURN(const tls::Certificates chain, Read("--cert-file", tls.cert_file));
    auto key = tls::ReadPrivateKey(tls.key_file);
    if (!key.ok()) return Of("--key-file", key.status());
    if (X509_check_private_key(chain.all.front().get(), key->get()) != 1) {
      return absl::InvalidArgumentError(absl::StrCat("--key-file: ", Printable(tls.key_file),
                                                     " is not the key of the certificate in ",
                                                     Printable(tls.cert_file)));
    }
    options.pem_cert_chain = chain.ToPem();
    options.pem_private_key = std::string(tls::ToPem(key->get()).Reveal());
  }
  return grpc::SslCredentials(options);
}

}  // namespace gatehouse::cli
