#include "client/cli/connection.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace gatehouse::cli {
namespace {

std::shared_ptr<grpc::Channel> Connect(const std::string& target) {
  grpc::ChannelArguments arguments;
  // A token in plaintext is nothing for the proxy that the environment may name.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

Connection::Connection(const Options& options)
    : options_(options),
      channel_(Connect(options.target)),
      stub_(v1::AuthorizationService::NewStub(channel_)) {}

void Connection::SetDeadline(grpc::ClientContext& context) const {
  context.set_deadline(absl::ToChronoTime(absl::Now() + options_.timeout));
}

std::string Connection::Explain(const grpc::Status& status) const {
  const std::string target = Printable(options_.target);
  const std::string said = Printable(status.error_message());
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      if (channel_->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY) {
        return absl::StrCat("the server at ", target, " cannot decide now: ", said,
                            "\nTry again. What it waits for is in its log and under /readyz.");
      }
      return absl::StrCat("cannot reach ", target, ": is gatehouse-server running there? (", said,
                          ")\nStart it with `gatehouse-server --config gatehouse.yaml`, or name "
                          "another address with --target or GATEHOUSE_TARGET.");
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::StrCat("no answer from ", target, " within ",
                          absl::FormatDuration(options_.timeout),
                          "\nTry again, or allow more time with --timeout.");
    case grpc::StatusCode::INVALID_ARGUMENT:
      return absl::StrCat("the server refused the request: ", said);
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      if (absl::StrContains(said, "larger than max")) {
        return absl::StrCat("the request or its answer is too large: ", said);
      }
      return absl::StrCat("the server has too much to do: ", said, "\nTry again in a moment.");
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::StrCat("what answers at ", target,
                          " does not know this call: it is no gatehouse-server, or another version "
                          "of it");
    default:
      return absl::StrCat("the call failed with gRPC status ",
                          static_cast<int>(status.error_code()), ": ", said);
  }
}

}  // namespace gatehouse::cli
