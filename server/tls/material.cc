#include "server/tls/material.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "server/tls/certificate.h"
#include "server/tls/private_key.h"

namespace gatehouse::tls {
namespace {

using Context = std::unique_ptr<SSL_CTX, jose::FreeWith<SSL_CTX_free>>;

class Faults {
 public:
  void Add(const NamedFile& file, const absl::Status& status) {
    if (status.ok()) return;
    if (lines_.empty()) code_ = status.code();
    lines_.push_back(absl::StrCat(file.place, file.place.empty() ? "" : ": ", status.message()));
  }
  bool empty() const { return lines_.empty(); }
  absl::Status ToStatus() const { return absl::Status(code_, absl::StrJoin(lines_, "\n")); }

 private:
  absl::StatusCode code_ = absl::StatusCode::kOk;
  std::vector<std::string> lines_;
};

// OpenSSL's own reason for the last failure.
std::string Reason() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "no reason is given" : reason;
}

// What a handshake would stumble over.
absl::Status TryOut(const Certificates& chain, EVP_PKEY* key, const std::string& path) {
  ERR_clear_error();
  const Context context(SSL_CTX_new(TLS_server_method()));
  bool taken =
      context != nullptr && SSL_CTX_use_certificate(context.get(), chain.all.front().get()) == 1;
  for (size_t i = 1; taken && i < chain.all.size(); ++i) {
    taken = SSL_CTX_add1_chain_cert(context.get(), chain.all[i].get()) == 1;
  }
  taken = taken && SSL_CTX_use_PrivateKey(context.get(), key) == 1 &&
          SSL_CTX_check_private_key(context.get()) == 1;
  if (taken) return absl::OkStatus();
  const std::string reason = Reason();
  ERR_clear_error();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": TLS does not take this certificate: ", reason));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Material>> Load(const Files& files, absl::Time now) {
  Faults faults;
  auto out = std::make_shared<Material>();
  const auto chain = ReadCertificates(files.certificate.path);
  faults.Add(files.certificate, chain.status());
  if (chain.ok()) faults.Add(files.certificate, CheckChain(*chain, files.certificate.path, now));
  const auto key = ReadPrivateKey(files.key.path);
  faults.Add(files.key, key.status());
  if (chain.ok() && key.ok()) {
    if (X509_check_private_key(chain->all.front().get(), key->get()) != 1) {
      faults.Add(files.key, absl::InvalidArgumentError(absl::StrCat(
                                files.key.path, ": this private key does not fit the certificate ",
                                files.certificate.path)));
    } else if (faults.empty()) {
      faults.Add(files.certificate, TryOut(*chain, key->get(), files.certificate.path));
    }
  }
  if (files.client_ca.has_value()) {
    const auto roots = ReadCertificates(files.client_ca->path);
    faults.Add(*files.client_ca, roots.status());
    if (roots.ok()) {
      faults.Add(*files.client_ca, CheckRoots(*roots, files.client_ca->path, now, out->warnings));
      out->client_ca = roots->ToPem();
      out->client_ca_until = roots->Until();
    }
  }
  ERR_clear_error();
  if (!faults.empty()) return faults.ToStatus();
  out->chain = chain->ToPem();
  out->key = ToPem(key->get());
  if (out->key.empty()) {
    return absl::InternalError(
        absl::StrCat(files.key.path, ": this private key cannot be written as PEM"));
  }
  out->certificate_until = chain->Until();
  return out;
}

}  // namespace gatehouse::tls
