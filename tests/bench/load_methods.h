#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "empty.grpc.pb.h"
#include "envoy/service/auth/v3/external_auth.grpc.pb.h"
#include "gatehouse/v1/authorization_service.grpc.pb.h"

namespace gatehouse::bench {

// One line of a token file: a token, and the subject that it is of.
struct TokenLine {
  std::string token;
  std::string subject;
};

// The lines "TOKEN SUBJECT" of a file. An error names the file and the line.
absl::StatusOr<std::vector<TokenLine>> ReadTokens(const std::string& path);

// Which prepared request comes next: one after the other, or drawn by a seed.
class Picker {
 public:
  Picker(size_t count, bool random, uint64_t seed) : count_(count), random_(random), state_(seed) {}
  size_t Next();

 private:
  const size_t count_;
  const bool random_;
  uint64_t state_;
  size_t next_ = 0;
};

// Each method has a Request, a Reply and a Stub; gives the next request; begins a
// call; and names the code of the reply's decision ("CODE_OK" where it has none).

class VerifyMethod {
 public:
  using Request = v1::VerifyRequest;
  using Reply = v1::VerifyResponse;
  using Stub = v1::AuthorizationService::Stub;
  VerifyMethod(const std::vector<TokenLine>& tokens, Picker picker);
  const Request& Next() { return requests_[picker_.Next()]; }
  static std::unique_ptr<Stub> Connect(const std::shared_ptr<grpc::Channel>& channel) {
    return v1::AuthorizationService::NewStub(channel);
  }
  static auto Begin(Stub& stub, grpc::ClientContext* context, const Request& request,
                    grpc::CompletionQueue* queue) {
    return stub.AsyncVerify(context, request, queue);
  }
  static v1::Code CodeOf(const Reply& reply);

 private:
  std::vector<Request> requests_;
  Picker picker_;
};

class AuthorizeMethod {
 public:
  using Request = v1::AuthorizeRequest;
  using Reply = v1::AuthorizeResponse;
  using Stub = v1::AuthorizationService::Stub;
  // Asks for each token's own subject as the owner of one resource.
  AuthorizeMethod(const std::vector<TokenLine>& tokens, Picker picker);
  const Request& Next() { return requests_[picker_.Next()]; }
  static std::unique_ptr<Stub> Connect(const std::shared_ptr<grpc::Channel>& channel) {
    return v1::AuthorizationService::NewStub(channel);
  }
  static auto Begin(Stub& stub, grpc::ClientContext* context, const Request& request,
                    grpc::CompletionQueue* queue) {
    return stub.AsyncAuthorize(context, request, queue);
  }
  static v1::Code CodeOf(const Reply& reply);

 private:
  std::vector<Request> requests_;
  Picker picker_;
};

class BatchMethod {
 public:
  using Request = v1::BatchAuthorizeRequest;
  using Reply = v1::BatchAuthorizeResponse;
  using Stub = v1::AuthorizationService::Stub;
  // Asks for each token's own subject as the owner of so many resources; 78 bytes each.
  BatchMethod(const std::vector<TokenLine>& tokens, int checks, Picker picker);
  const Request& Next() { return requests_[picker_.Next()]; }
  static std::unique_ptr<Stub> Connect(const std::shared_ptr<grpc::Channel>& channel) {
    return v1::AuthorizationService::NewStub(channel);
  }
  static auto Begin(Stub& stub, grpc::ClientContext* context, const Request& request,
                    grpc::CompletionQueue* queue) {
    return stub.AsyncBatchAuthorize(context, request, queue);
  }
  // CODE_OK only if each check has a decision and each of them allows.
  v1::Code CodeOf(const Reply& reply) const;

 private:
  std::vector<Request> requests_;
  int checks_;
  Picker picker_;
};

class CheckMethod {
 public:
  using Request = envoy::service::auth::v3::CheckRequest;
  using Reply = envoy::service::auth::v3::CheckResponse;
  using Stub = envoy::service::auth::v3::Authorization::Stub;
  // Asks as Envoy does about a browser's request for one of each token's own documents:
  // /v1/SUBJECT/kind-025/doc-42.
  CheckMethod(const std::vector<TokenLine>& tokens, Picker picker);
  const Request& Next() { return requests_[picker_.Next()]; }
  static std::unique_ptr<Stub> Connect(const std::shared_ptr<grpc::Channel>& channel) {
    return envoy::service::auth::v3::Authorization::NewStub(channel);
  }
  static auto Begin(Stub& stub, grpc::ClientContext* context, const Request& request,
                    grpc::CompletionQueue* queue) {
    return stub.AsyncCheck(context, request, queue);
  }
  // The code that the answer says for the log, where it and the verdict say the same.
  static v1::Code CodeOf(const Reply& reply);

 private:
  std::vector<Request> requests_;
  Picker picker_;
};

class RevokeMethod {
 public:
  using Request = v1::RevokeRequest;
  using Reply = v1::RevokeResponse;
  using Stub = v1::AuthorizationService::Stub;
  // Revokes token ids of `issuer` that no other run uses.
  explicit RevokeMethod(const std::string& issuer);
  const Request& Next();
  static std::unique_ptr<Stub> Connect(const std::shared_ptr<grpc::Channel>& channel) {
    return v1::AuthorizationService::NewStub(channel);
  }
  static auto Begin(Stub& stub, grpc::ClientContext* context, const Request& request,
                    grpc::CompletionQueue* queue) {
    return stub.AsyncRevoke(context, request, queue);
  }
  // CODE_OK if the reply names the revocation, else CODE_UNSPECIFIED.
  static v1::Code CodeOf(const Reply& reply);

 private:
  std::string prefix_;
  int64_t count_ = 0;
  Request request_;
};

class EmptyMethod {
 public:
  using Request = Nothing;
  using Reply = Nothing;
  using Stub = EmptyService::Stub;
  const Request& Next() { return request_; }
  static std::unique_ptr<Stub> Connect(const std::shared_ptr<grpc::Channel>& channel) {
    return EmptyService::NewStub(channel);
  }
  static auto Begin(Stub& stub, grpc::ClientContext* context, const Request& request,
                    grpc::CompletionQueue* queue) {
    return stub.AsyncCall(context, request, queue);
  }
  static v1::Code CodeOf(const Reply& /*reply*/) { return v1::CODE_OK; }

 private:
  Request request_;
};

}  // namespace gatehouse::bench
