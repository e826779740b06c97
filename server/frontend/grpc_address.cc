#include "server/frontend/grpc_address.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "server/base/status_macros.h"
#include "server/frontend/accept_guard.h"

namespace gatehouse::frontend {

absl::StatusOr<std::unique_ptr<GrpcAddress>> GrpcAddress::Take(const std::string& text) {
  std::unique_ptr<GrpcAddress> address(new GrpcAddress(text));
  absl::string_view path = text;
  if (!absl::ConsumePrefix(&path, "unix:")) return address;
  GH_RETURN_IF_ERROR(address->socket_.emplace(std::string(path)).Check());
  return address;
}

void GrpcAddress::AddTo(grpc::ServerBuilder& builder,
                        const std::shared_ptr<grpc::ServerCredentials>& credentials) {
  GuardAccepts();
  // Which gRPC reads as a part of a URI.
  const std::string address =
      socket_.has_value()
          ? absl::StrCat("unix:", absl::StrReplaceAll(socket_->bound(), {{"%", "%25"}}))
          : text_;
  builder.AddListeningPort(address, credentials, &port_);
}

absl::Status GrpcAddress::Open(const grpc::Server* server) {
  if (server == nullptr || port_ == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen for gRPC on ", text_,
                     socket_.has_value() ? "" : ": is the port in use by another program?"));
  }
  return socket_.has_value() ? socket_->Publish() : absl::OkStatus();
}

void GrpcAddress::Close() {
  if (socket_.has_value()) socket_->Remove();
}

void EndQueue(grpc::ServerCompletionQueue& queue) {
  queue.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
  }
}

}  // namespace gatehouse::frontend
