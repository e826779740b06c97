#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <memory>
#include <string>

#include "server/jose/openssl.h"
#include "server/tls/openssl.h"
#include "tests/frontend/server_fixture.h"
#include "tests/tls/certificate_maker.h"

namespace gatehouse {
namespace {

using jose::FreeWith;
using Context = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>>;
using Ssl = std::unique_ptr<SSL, FreeWith<SSL_free>>;

// Good by the server's clock and by OpenSSL's.
const absl::Time kBegin = absl::FromUnixSeconds(kNow) - absl::Hours(24 * 365 * 4);
const absl::Time kEnd = absl::FromUnixSeconds(kNow) + absl::Hours(24 * 365 * 10);

class ServerTlsTest : public ServerTest {
 protected:
  ServerTlsTest() : root_("root", kBegin, kEnd) {
    const CertificateAndKey own = Issue("DNS:localhost");
    Put("tls.crt", own.certificate);
    Put("tls.key", own.key);
    Put("ca.crt", root_.pem());
    config_.tls = config::Tls{.cert_file = folder_ / "tls.crt",
                              .key_file = folder_ / "tls.key",
                              .client_ca_file = folder_ / "ca.crt"};
    client_.reset(SSL_CTX_new(TLS_client_method()));
    Use(Issue("URI:spiffe://a.b/c"));
    const std::array<unsigned char, 3> h2 = {2, 'h', '2'};
    EXPECT_EQ(SSL_CTX_set_alpn_protos(client_.get(), h2.data(), h2.size()), 0);
  }

  void Put(const char* name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    std::filesystem::permissions(
        folder_ / name, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  CertificateAndKey Issue(const std::string& names) {
    return root_.Issue({.alternative_names = names, .begin = kBegin, .end = kEnd});
  }
  void Use(const CertificateAndKey& pair) const {
    const jose::Bio certificate(BIO_new_mem_buf(pair.certificate.c_str(), -1));
    const jose::Bio key(BIO_new_mem_buf(pair.key.c_str(), -1));
    const tls::X509Ptr x509(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr));
    const jose::EvpPkey pkey(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
    EXPECT_EQ(SSL_CTX_use_certificate(client_.get(), x509.get()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(client_.get(), pkey.get()), 1);
  }

  // Connects, until the server has spoken HTTP/2; resumes `session` if it is one and the
  // server wants to. Gives back the session that may be resumed next, null if it was refused.
  Session Connect(const Session& session, bool& reused) const {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(server_->grpc_port()));
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    Session next;
    {
      const Ssl ssl(SSL_new(client_.get()));
      if (session != nullptr) EXPECT_EQ(SSL_set_session(ssl.get(), session.get()), 1);
      SSL_set_fd(ssl.get(), fd);
      char byte = 0;
      if (SSL_connect(ssl.get()) == 1 && SSL_read(ssl.get(), &byte, 1) == 1) {
        next.reset(SSL_get1_session(ssl.get()));
        reused = SSL_session_reused(ssl.get()) == 1;
      }
      SSL_set_shutdown(ssl.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    close(fd);
    return next;
  }

  CertificateMaker root_;
  Context client_;
};

TEST_F(ServerTlsTest, ASessionIsResumedForTenMinutesAtMost) {
  Start();
  bool reused = true;
  const Session first = Connect(nullptr, reused);
  ASSERT_NE(first, nullptr);
  EXPECT_FALSE(reused);
  clock_.Advance(absl::Minutes(9));
  const Session second = Connect(first, reused);
  ASSERT_NE(second, nullptr);
  EXPECT_TRUE(reused);
  clock_.Advance(absl::Minutes(1));
  ASSERT_NE(Connect(second, reused), nullptr) << "it is let in by its certificate";
  EXPECT_FALSE(reused);
}

TEST_F(ServerTlsTest, AnotherListenTlsNeedsARestart) {
  Start();
  config::Config other = config_;
  other.tls->client_ca_file.clear();
  const absl::Status refused = server_->Reload(other);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("listen.tls: is "));
  other = config_;
  other.forwarded_client_cert = config::ForwardedClientCert{.peers = {"spiffe://a.b/c"}};
  EXPECT_THAT(std::string(server_->Reload(other).message()),
              ::testing::HasSubstr("listen.forwarded_client_cert: is none since the start"));
  EXPECT_TRUE(server_->Reload(config_).ok());
}

TEST_F(ServerTlsTest, NothingIsStartedWithFilesThatAreNoGood) {
  Put("tls.key", Issue("DNS:localhost").key);
  const auto server = Server::Start(config_, clock_, {.threads = 1});
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(server.status().message()),
              ::testing::HasSubstr("does not fit the certificate"));
}

// A reload of the configuration does not read them.
TEST_F(ServerTlsTest, FilesThatAreNoGoodKeepNoConfigurationFromBeingReloaded) {
  Start();
  Put("tls.key", "");
  EXPECT_TRUE(server_->Reload(config_).ok());
}

TEST_F(ServerTlsTest, TwoLooksMustAgreeBeforeChangedFilesAreRead) {
  Start();
  Use(Issue("URI:spiffe://a.b/d"));
  CertificateMaker other("other", kBegin, kEnd);
  Put("ca.crt", other.pem());
  bool reused = false;
  server_->LookAtCertificates();
  EXPECT_NE(Connect(nullptr, reused), nullptr);
  server_->LookAtCertificates();
  EXPECT_EQ(Connect(nullptr, reused), nullptr) << "of the old root";
}

}  // namespace
}  // namespace gatehouse
