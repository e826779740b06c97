#pragma once

#include <grpcpp/grpcpp.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

// What gatehouse-load, gatehouse-storm and gatehouse-null-server speak TLS with.
namespace gatehouse::bench {

// PEM files; empty: plaintext.
struct TlsFiles {
  std::string ca;
  std::string cert;
  std::string key;
};

// Empty if it cannot be read: gRPC then refuses the handshake.
inline std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::shared_ptr<grpc::ChannelCredentials> ClientCredentials(const TlsFiles& files) {
  if (files.ca.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = TextOf(files.ca);
  options.pem_cert_chain = TextOf(files.cert);
  options.pem_private_key = TextOf(files.key);
  return grpc::SslCredentials(options);
}

// Asks each client for a certificate of the same CA.
inline std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const TlsFiles& files) {
  if (files.ca.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = TextOf(files.ca);
  options.pem_key_cert_pairs = {{TextOf(files.key), TextOf(files.cert)}};
  return grpc::SslServerCredentials(options);
}

}  // namespace gatehouse::bench
