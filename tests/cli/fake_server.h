#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gatehouse/v1/authorization_service.grpc.pb.h"
#include "tests/cli/child.h"

namespace gatehouse::cli {

// A real gRPC server on a free port that answers as a test tells it to. What a test
// sets is set before the child runs and read after it has ended.
class FakeServer final : private v1::AuthorizationService::Service {
 public:
  template <class Request, class Reply>
  using Handler = std::function<grpc::Status(const Request&, Reply&)>;

  FakeServer();
  ~FakeServer() override;

  // "127.0.0.1:PORT"
  const std::string& target() const { return target_; }
  // No longer listens. Calls that run have until `deadline`, else no time.
  void Stop(std::chrono::system_clock::time_point deadline = std::chrono::system_clock::now());

  // Runs the command against this server, with `token` on its standard input.
  Result Run(std::vector<std::string> arguments, const std::string& token = "a.b.c\n",
             std::map<std::string, std::string> environment = {}) const;

  // The one `authorization` value of the last call; empty if there was none.
  const std::string& authorization() const { return authorization_; }

  Handler<v1::VerifyRequest, v1::VerifyResponse> verify;
  Handler<v1::AuthorizeRequest, v1::AuthorizeResponse> authorize;
  Handler<v1::RevokeRequest, v1::RevokeResponse> revoke;
  Handler<v1::ReinstateRequest, v1::ReinstateResponse> reinstate;
  Handler<v1::ListRevocationsRequest, v1::ListRevocationsResponse> list;
  Handler<v1::ImportRevocationsRequest, v1::ImportRevocationsResponse> import;
  Handler<v1::BackupRevocationsRequest, v1::BackupRevocationsResponse> backup;

 private:
  grpc::Status Verify(grpc::ServerContext* context, const v1::VerifyRequest* request,
                      v1::VerifyResponse* reply) override {
    Note(*context);
    return Answer(verify, *request, *reply);
  }
  grpc::Status Authorize(grpc::ServerContext* context, const v1::AuthorizeRequest* request,
                         v1::AuthorizeResponse* reply) override {
    Note(*context);
    return Answer(authorize, *request, *reply);
  }
  grpc::Status Revoke(grpc::ServerContext* context, const v1::RevokeRequest* request,
                      v1::RevokeResponse* reply) override {
    Note(*context);
    return Answer(revoke, *request, *reply);
  }
  grpc::Status Reinstate(grpc::ServerContext* context, const v1::ReinstateRequest* request,
                         v1::ReinstateResponse* reply) override {
    Note(*context);
    return Answer(reinstate, *request, *reply);
  }
  grpc::Status ImportRevocations(grpc::ServerContext* context,
                                 const v1::ImportRevocationsRequest* request,
                                 v1::ImportRevocationsResponse* reply) override {
    Note(*context);
    return Answer(import, *request, *reply);
  }
  grpc::Status BackupRevocations(grpc::ServerContext* context,
                                 const v1::BackupRevocationsRequest* request,
                                 v1::BackupRevocationsResponse* reply) override {
    Note(*context);
    return Answer(backup, *request, *reply);
  }
  grpc::Status ListRevocations(grpc::ServerContext* context,
                               const v1::ListRevocationsRequest* request,
                               v1::ListRevocationsResponse* reply) override {
    Note(*context);
    return Answer(list, *request, *reply);
  }

  template <class Request, class Reply>
  static grpc::Status Answer(const Handler<Request, Reply>& handler, const Request& request,
                             Reply& reply) {
    if (!handler) return {grpc::StatusCode::UNIMPLEMENTED, "not expected by this test"};
    return handler(request, reply);
  }

  void Note(const grpc::ServerContext& context);

  std::unique_ptr<grpc::Server> server_;
  std::string authorization_;
  std::string target_;
};

v1::Decision Allowed();
v1::Decision Denied(v1::Code code, const std::string& detail);
v1::Principal Ada();

// A handler that gives `reply` to everything.
template <class Request, class Reply>
FakeServer::Handler<Request, Reply> Always(const Reply& reply) {
  return [reply](const Request&, Reply& answer) {
    answer = reply;
    return grpc::Status::OK;
  };
}

inline auto VerifySays(const v1::Decision& decision, const v1::Principal& principal = {}) {
  v1::VerifyResponse reply;
  *reply.mutable_decision() = decision;
  if (principal.ByteSizeLong() > 0) *reply.mutable_principal() = principal;
  reply.set_revision(12);
  reply.set_store_id("s1");
  return Always<v1::VerifyRequest>(reply);
}

}  // namespace gatehouse::cli
