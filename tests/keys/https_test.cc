#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/jose/openssl.h"
#include "server/keys/http_fetch.h"

namespace gatehouse::keys {
namespace {

using ::testing::HasSubstr;

using jose::FreeWith;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Context = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, FreeWith<SSL_free>>;

void Check(bool good) {
  if (!good) std::abort();
}

// For "localhost", signed by its own key, which nobody trusts.
Certificate SelfSigned(EVP_PKEY* key) {
  Certificate certificate(X509_new());
  X509* const x = certificate.get();
  X509_gmtime_adj(X509_getm_notBefore(x), -60);
  X509_gmtime_adj(X509_getm_notAfter(x), 3600);
  X509_NAME* const name = X509_get_subject_name(x);
  const auto* const host = reinterpret_cast<const unsigned char*>("localhost");
  Check(X509_set_pubkey(x, key) == 1 &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, host, -1, -1, 0) == 1 &&
        X509_set_issuer_name(x, name) == 1 && X509_sign(x, key, EVP_sha256()) > 0);
  return certificate;
}

// Speaks TLS to one client and records whether it went on to send a request.
class TlsServer {
 public:
  TlsServer() : key_(EVP_EC_gen("P-256")), certificate_(SelfSigned(key_.get())) {
    // OpenSSL writes its alert to a client that may have gone.
    Check(::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    Check(::bind(listener_, any, size) == 0 && ::getsockname(listener_, any, &size) == 0 &&
          ::listen(listener_, 4) == 0);
    port_ = ntohs(address.sin_port);
    Check(SSL_CTX_use_certificate(context_.get(), certificate_.get()) == 1 &&
          SSL_CTX_use_PrivateKey(context_.get(), key_.get()) == 1);
    thread_ = std::thread([this] { Serve(); });
  }
  ~TlsServer() { Join(); }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  // The certificate, in PEM.
  std::string Pem() const {
    const jose::Bio bio(BIO_new(BIO_s_mem()));
    Check(PEM_write_bio_X509(bio.get(), certificate_.get()) == 1);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &bytes);
    return {bytes, static_cast<size_t>(size)};
  }
  std::string Url() const { return absl::StrCat("https://localhost:", port_, "/jwks"); }
  // Only after the client is done.
  bool GotARequest() {
    Join();
    return got_request_;
  }

 private:
  void Serve() {
    const int socket = ::accept(listener_, nullptr, nullptr);
    if (socket < 0) return;
    const Connection connection(SSL_new(context_.get()));
    SSL_set_fd(connection.get(), socket);
    char byte = 0;
    got_request_ = SSL_accept(connection.get()) == 1 && SSL_read(connection.get(), &byte, 1) == 1;
    constexpr char kAnswer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    if (got_request_) SSL_write(connection.get(), kAnswer, sizeof(kAnswer) - 1);
    ::close(socket);
  }
  void Join() {
    if (!thread_.joinable()) return;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  const jose::EvpPkey key_;
  const Certificate certificate_;
  const Context context_{SSL_CTX_new(TLS_server_method())};
  int listener_ = -1;
  uint16_t port_ = 0;
  bool got_request_ = false;
  std::thread thread_;
};

constexpr FetchLimits kLimits{.timeout = absl::Seconds(60), .max_bytes = 1000};

TEST(HttpFetcher, ACertificateThatNobodyTrustsIsRefusedBeforeAnythingIsAsked) {
  TlsServer server;
  HttpFetcher fetcher;
  const auto body = fetcher.Get({.url = server.Url(), .limits = kLimits});
  EXPECT_TRUE(absl::IsUnavailable(body.status())) << body.status();
  EXPECT_THAT(std::string(body.status().message()), HasSubstr("certificate"));
  EXPECT_FALSE(server.GotARequest());
}

class CaFileTest : public ::testing::Test {
 protected:
  CaFileTest() : path_(::testing::TempDir() + "gatehouse_ca_XXXXXX") {
    const int fd = mkstemp(path_.data());
    Check(fd >= 0 && ::close(fd) == 0);
  }
  ~CaFileTest() override { std::filesystem::remove(path_); }

  std::string Write(const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    return path_;
  }
  absl::Status Fetch(const TlsServer& server, const std::string& pem) {
    HttpFetcher fetcher;
    return fetcher.Get({.url = server.Url(), .limits = kLimits, .known = {}, .ca_file = Write(pem)})
        .status();
  }

  std::string path_;
};

TEST_F(CaFileTest, TheHostThatItsCertificateVouchesForIsTrusted) {
  TlsServer server;
  EXPECT_TRUE(Fetch(server, server.Pem()).ok());
  EXPECT_TRUE(server.GotARequest());
}

TEST_F(CaFileTest, AHostThatItDoesNotVouchForIsNot) {
  TlsServer server;
  const TlsServer other;
  EXPECT_TRUE(absl::IsUnavailable(Fetch(server, other.Pem())));
  EXPECT_FALSE(server.GotARequest());
}

TEST_F(CaFileTest, AFileThatWasReplacedCountsFromTheNextFetchOn) {
  TlsServer before;
  TlsServer after;
  HttpFetcher fetcher;
  const auto fetch = [&](const TlsServer& server, const std::string& pem) {
    return fetcher.Get({.url = server.Url(), .limits = kLimits, .known = {}, .ca_file = Write(pem)})
        .status();
  };
  EXPECT_TRUE(fetch(before, before.Pem()).ok());
  EXPECT_TRUE(fetch(after, after.Pem()).ok());
}

}  // namespace
}  // namespace gatehouse::keys
