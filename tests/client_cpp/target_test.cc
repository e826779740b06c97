// What only a call can show: a target where nobody is, names, certificates.

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <thread>

#include "gatehouse/client.h"

namespace gatehouse::client {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

// A key and a certificate of its own for this name, in two files.
struct Identity {
  Identity(const std::string& file, const std::string& name)
      : cert(testing::TempDir() + "/target_test_" + file + ".crt"),
        key(testing::TempDir() + "/target_test_" + file + ".key") {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" +
        name + " -addext subjectAltName=DNS:" + name + " -keyout " + key + " -out " + cert +
        " 2>/dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0);  // NOLINT(cert-env33-c)
  }
  const std::string cert;
  const std::string key;
};

// A server with TLS that knows no method.
class TlsServer {
 public:
  explicit TlsServer(const Identity& identity, const std::string& clients = "") {
    grpc::SslServerCredentialsOptions options(
        clients.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                        : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_key_cert_pairs.push_back({Read(identity.key), Read(identity.cert)});
    if (!clients.empty()) options.pem_root_certs = Read(clients);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(options), &port_);
    queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    thread_ = std::thread([this] {
      void* tag = nullptr;
      bool ok = false;
      while (queue_->Next(&tag, &ok)) {
      }
    });
  }
  ~TlsServer() {
    server_->Shutdown();
    queue_->Shutdown();
    thread_.join();
  }
  std::string target() const { return "localhost:" + std::to_string(port_); }
  // Of the one address that is listened on: an error speaks of no other.
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::thread thread_;
};

Error Ask(Settings settings) {
  settings.deadline = std::chrono::seconds(10);
  settings.warn = [](const std::string&) {};
  Result<Client> client = Client::Create(settings);
  if (!client.ok()) return client.error();
  const Answer answer = client->Verify("a-token-of-a-user");
  EXPECT_EQ(answer.http_status(), 503);
  EXPECT_EQ(answer.error().message.find("a-token-of-a-user"), std::string::npos);
  return answer.error();
}

void ExpectNames(const Error& error, ErrorCode code, const std::string& setting) {
  EXPECT_EQ(ErrorCodeName(error.code), std::string(ErrorCodeName(code))) << error.message;
  EXPECT_NE(error.message.find(setting), std::string::npos) << error.message;
}

TEST(TargetTest, WhereNobodyListensTheTargetIsNamed) {
  Settings settings;
  settings.target = "127.0.0.1:1";
  ExpectNames(Ask(settings), ErrorCode::kUnavailable, "GATEHOUSE_TARGET");
  settings.target = "unix:/nowhere/gatehouse.sock";
  ExpectNames(Ask(settings), ErrorCode::kUnavailable, "GATEHOUSE_TARGET");
}

TEST(TargetTest, ANameThatDoesNotResolveIsTheTargets) {
  Settings settings;
  settings.target = "dns:///no-such-host.invalid:7070";
  settings.plaintext_behind_mesh = true;
  ExpectNames(Ask(settings), ErrorCode::kUnavailable, "GATEHOUSE_TARGET");
}

TEST(TargetTest, TheRightAuthorityIsTrustedAndAnotherOneIsNamed) {
  const Identity identity("server", "localhost");
  const Identity other("other", "localhost");
  const TlsServer server(identity);
  Settings settings;
  settings.target = server.target();
  settings.ca_file = identity.cert;
  ExpectNames(Ask(settings), ErrorCode::kUnimplemented, "older");
  settings.ca_file = other.cert;
  ExpectNames(Ask(settings), ErrorCode::kUnavailable, "GATEHOUSE_CA_FILE");
}

TEST(TargetTest, ACertificateForAnotherNameIsNotTrusted) {
  const Identity identity("elsewhere", "elsewhere.test");
  const TlsServer server(identity);
  Settings settings;
  settings.target = server.target();
  settings.ca_file = identity.cert;
  ExpectNames(Ask(settings), ErrorCode::kUnavailable, "GATEHOUSE_CA_FILE");
}

TEST(TargetTest, TheClientShowsItsCertificate) {
  const Identity identity("server", "localhost");
  const Identity service("service", "service.test");
  const TlsServer server(identity, service.cert);
  Settings settings;
  settings.target = server.target();
  settings.ca_file = identity.cert;
  EXPECT_NE(Ask(settings).code, ErrorCode::kUnimplemented);
  settings.cert_file = service.cert;
  settings.key_file = service.key;
  ExpectNames(Ask(settings), ErrorCode::kUnimplemented, "older");
}

TEST(TargetTest, TheFilesAreReadAgainWhenTheyChange) {
  const Identity identity("server", "localhost");
  const Identity service("service", "service.test");
  const Identity own("own", "own.test");
  const TlsServer server(identity, service.cert);
  Settings settings;
  settings.target = server.target();
  // What vouches for the server, and what this service shows: both wrong.
  settings.ca_file = testing::TempDir() + "/target_test_ca.crt";
  Write(settings.ca_file, Read(own.cert));
  settings.cert_file = own.cert;
  settings.key_file = own.key;
  settings.deadline = std::chrono::seconds(10);
  const auto reached = std::make_shared<std::promise<void>>();
  settings.warn = [reached](const std::string& warning) {
    if (warning.find("older") != std::string::npos) reached->set_value();
  };
  Result<Client> client = Client::Create(settings);
  ASSERT_TRUE(client.ok());
  ExpectNames(client->Verify("t").error(), ErrorCode::kUnavailable, "GATEHOUSE_CA_FILE");
  Write(settings.ca_file, Read(identity.cert));
  Write(own.key, Read(service.key));
  Write(own.cert, Read(service.cert));
  // By the stream, which is told once that there is no such method here.
  ASSERT_EQ(reached->get_future().wait_for(std::chrono::minutes(1)), std::future_status::ready);
  // Calls have a connection of their own, which may still be about to be tried again.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  Error error = client->Verify("t").error();
  while (error.code != ErrorCode::kUnimplemented && std::chrono::steady_clock::now() < end) {
    error = client->Verify("t").error();
  }
  ExpectNames(error, ErrorCode::kUnimplemented, "older");
}

TEST(TargetTest, PlaintextToAServerWithTlsNamesTheAuthority) {
  const Identity identity("server", "localhost");
  const TlsServer server(identity);
  Settings settings;
  settings.target = server.address();
  ExpectNames(Ask(settings), ErrorCode::kUnavailable, "GATEHOUSE_CA_FILE");
}

TEST(TargetTest, ASettingThatIsWrongIsAnErrorBeforeAnyCall) {
  Settings settings;
  settings.target = "localhost:7070";
  settings.token_file = "/nowhere/token";
  const Result<Client> client = Client::Create(settings);
  ASSERT_FALSE(client.ok());
  ExpectNames(client.error(), ErrorCode::kSetting, "GATEHOUSE_TOKEN_FILE");
}

}  // namespace
}  // namespace gatehouse::client
