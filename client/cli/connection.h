#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/commands.h"
#include "client/cli/output.h"
#include "gatehouse/v1/authorization_service.grpc.pb.h"
#include "server/base/secret.h"

namespace gatehouse::cli {

// The way to the server. One thread at a time.
class Connection {
 public:
  // Warns on standard error if calls to the target leave this machine in plaintext.
  explicit Connection(const Options& options);

  // Makes one call within the time that the options allow. nullopt when there was
  // no answer; what went wrong is then on standard error.
  template <class Request, class Reply>
  std::optional<Reply> Call(grpc::Status (v1::AuthorizationService::Stub::*method)(
                                grpc::ClientContext*, const Request&, Reply*),
                            const Request& request) {
    Reply reply;
    const absl::Status status = Ask(method, request, reply);
    if (status.ok()) return reply;
    Fail(status.message());
    return std::nullopt;
  }

  // The same without a word on standard error: what went wrong, for people, with the code
  // that the server gave.
  template <class Request, class Reply>
  absl::Status Ask(grpc::Status (v1::AuthorizationService::Stub::*method)(grpc::ClientContext*,
                                                                          const Request&, Reply*),
                   const Request& request, Reply& reply) {
    if (!caller_token_.ok()) return caller_token_.status();
    if (!stub_.ok()) return stub_.status();
    grpc::ClientContext context;
    Prepare(context);
    const grpc::Status status = (**stub_.*method)(&context, request, &reply);
    if (status.ok()) return absl::OkStatus();
    return {static_cast<absl::StatusCode>(status.error_code()), Explain(status)};
  }

 private:
  // Sets the deadline, and who calls.
  void Prepare(grpc::ClientContext& context) const;
  std::string Explain(const grpc::Status& status) const;

  const Options options_;
  const absl::StatusOr<Secret> caller_token_;
  const absl::StatusOr<std::unique_ptr<v1::AuthorizationService::Stub>> stub_;
};

}  // namespace gatehouse::cli
