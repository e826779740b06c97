#include "server/frontend/tls_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <string>
#include <utility>

#include "server/base/mutex.h"

namespace gatehouse::frontend {
namespace {

// With other contexts come other keys of session tickets, and a ticket is worth a verified
// certificate.
constexpr int64_t kTicketNanos = int64_t{600} * 1'000'000'000;

class TlsCredentials final : public grpc::ServerCredentials {
 public:
  TlsCredentials(TlsSource source, const Clock& clock) : source_(std::move(source)), clock_(clock) {
    grpc_ssl_server_credentials_options* const options =
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            source_()->client_ca.empty()
                ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY,
            &Fetch, this);
    credentials_ = grpc_ssl_server_credentials_create_with_options(options);
  }
  ~TlsCredentials() override { grpc_server_credentials_release(credentials_); }
  TlsCredentials(const TlsCredentials&) = delete;
  TlsCredentials& operator=(const TlsCredentials&) = delete;

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  // gRPC keeps the context that it has where this says that nothing has changed.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    return static_cast<TlsCredentials*>(self)->FetchNew(config);
  }

  grpc_ssl_certificate_config_reload_status FetchNew(grpc_ssl_server_certificate_config** config)
      GH_EXCLUDES(mu_) {
    std::shared_ptr<const tls::Material> now = source_();
    const int64_t nanos = clock_.SteadyNanos();
    MutexLock lock(mu_);
    if (now == given_ && nanos - given_nanos_ < kTicketNanos) {
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    // Of a std::string, which ends in a NUL byte.
    const grpc_ssl_pem_key_cert_pair pair = {now->key.Reveal().data(), now->chain.c_str()};
    // Some roots must be given, though nothing is verified by them where no certificate is asked
    // for.
    const std::string& roots = now->client_ca.empty() ? now->chain : now->client_ca;
    *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
    given_ = std::move(now);
    given_nanos_ = nanos;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  const TlsSource source_;
  const Clock& clock_;
  grpc_server_credentials* credentials_ = nullptr;
  Mutex mu_;
  std::shared_ptr<const tls::Material> given_ GH_GUARDED_BY(mu_);  // null: nothing yet
  int64_t given_nanos_ GH_GUARDED_BY(mu_) = 0;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeTlsCredentials(TlsSource source, const Clock& clock) {
  return std::make_shared<TlsCredentials>(std::move(source), clock);
}

}  // namespace gatehouse::frontend
