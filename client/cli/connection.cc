#include "client/cli/connection.h"

#include <algorithm>
#include <initializer_list>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/caller_token.h"
#include "client/cli/credentials.h"
#include "client/cli/target.h"
#include "server/base/status_macros.h"

namespace gatehouse::cli {
namespace {

absl::StatusOr<std::unique_ptr<v1::AuthorizationService::Stub>> Connect(const Options& options) {
  GH_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials,
                      MakeCredentials(options.tls));
  grpc::ChannelArguments arguments;
  // A token in plaintext is nothing for the proxy that the environment may name.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!options.tls.server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.tls.server_name);
  }
  return v1::AuthorizationService::NewStub(
      grpc::CreateCustomChannel(options.target, credentials, arguments));
}

void WarnIfOthersCanRead(const Options& options) {
  if (!options.tls.ca_file.empty() || IsOnThisMachine(options.target)) return;
  std::cerr << "gatehouse: warning: calls to " << Printable(options.target)
            << " are in plaintext: whoever is on the way can read the token and forge the answer; "
               "--ca-file FILE encrypts them\n";
}

bool ContainsAny(absl::string_view text, std::initializer_list<absl::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [text](absl::string_view part) { return absl::StrContains(text, part); });
}

// Who says UNAVAILABLE. gRPC gives its own failures the code that a server uses too,
// and what the channel's state is afterwards says nothing about this call: a server
// that ends has answered and gone. Left are the words of gRPC's own failures.
enum class Speaker { kNobodyThere, kNoHandshake, kBrokenConnection, kServer };

Speaker SpeakerOf(absl::string_view said) {
  const std::string message = absl::AsciiStrToLower(said);
  // Before the others: gRPC says both of a connection whose handshake failed.
  if (ContainsAny(message, {"handshake", "certificate", "wrong_version_number", "ssl_error"})) {
    return Speaker::kNoHandshake;
  }
  if (ContainsAny(message, {"failed to connect to", "connections to all backends failing",
                            "dns resolution failed", "empty address list"})) {
    return Speaker::kNobodyThere;
  }
  if (ContainsAny(message, {"socket closed", "connection reset", "broken pipe", "goaway",
                            "endpoint read failed", "transport closed", "stream removed",
                            "cancelling all calls", "rst_stream"})) {
    return Speaker::kBrokenConnection;
  }
  return Speaker::kServer;
}

constexpr char kPlaintextAdvice[] = " If the server speaks TLS, name its CA with --ca-file.";
constexpr char kTlsAdvice[] =
    "\nSee that --ca-file vouches for the server's certificate, that the certificate has the "
    "target's name (else say --server-name), that the port speaks TLS, and, where the server asks "
    "for a certificate, that --cert-file is one that it trusts.";

std::string ExplainUnavailable(const std::string& target, bool tls, const std::string& said) {
  switch (SpeakerOf(said)) {
    case Speaker::kNoHandshake:
      return absl::StrCat("no TLS connection to ", target, " came about: ", said, kTlsAdvice);
    case Speaker::kNobodyThere:
      return absl::StrCat("cannot reach ", target, ": is gatehouse-server running there? (", said,
                          ")\nStart it with `gatehouse-server --config gatehouse.yaml`, or name "
                          "another address with --target or GATEHOUSE_TARGET.",
                          tls ? kTlsAdvice
                          : ContainsAny(absl::AsciiStrToLower(said), {"refused"})
                              ? ""
                              : kPlaintextAdvice);
    case Speaker::kBrokenConnection:
      return absl::StrCat("the connection to ", target, " ended before the answer came (", said,
                          ")\nTry again: the server may be restarting. If it stays so, what "
                          "answers there may be no gatehouse-server.",
                          tls ? "" : kPlaintextAdvice);
    case Speaker::kServer:
      break;
  }
  return absl::StrCat("the server at ", target, " cannot decide now: ", said,
                      "\nTry again. What it waits for is in its log and under /readyz.");
}

}  // namespace

Connection::Connection(const Options& options)
    : options_(options),
      caller_token_(ReadCallerToken(options.caller_token_file)),
      stub_(Connect(options)) {
  WarnIfOthersCanRead(options);
}

void Connection::Prepare(grpc::ClientContext& context) const {
  context.set_deadline(absl::ToChronoTime(absl::Now() + options_.timeout));
  if (caller_token_->empty()) return;
  context.AddMetadata("authorization", absl::StrCat("Bearer ", caller_token_->Reveal()));
}

std::string Connection::Explain(const grpc::Status& status) const {
  const std::string target = Printable(options_.target);
  const std::string said = Printable(status.error_message());
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return ExplainUnavailable(target, !options_.tls.ca_file.empty(), said);
    case grpc::StatusCode::CANCELLED:
      return absl::StrCat("the server at ", target,
                          " ended the call, as one that shuts down does: ", said, "\nTry again.");
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::StrCat("no answer from ", target, " within ",
                          absl::FormatDuration(options_.timeout),
                          "\nTry again, or allow more time with --timeout.");
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::FAILED_PRECONDITION:
      return absl::StrCat("the server refused the request: ", said);
    case grpc::StatusCode::UNAUTHENTICATED:
      return absl::StrCat(
          "the server at ", target, " does not know who calls: ", said,
          options_.caller_token_file.empty()
              ? "\nName the file that holds a caller's token with --caller-token-file FILE or "
                "GATEHOUSE_CALLER_TOKEN_FILE, or show a caller's certificate with --cert-file and "
                "--key-file."
              : absl::StrCat("\nThe token in ", Printable(options_.caller_token_file),
                             " is in no token_file of the server's callers. It reads "
                             "them again when they change."));
    case grpc::StatusCode::PERMISSION_DENIED:
      return absl::StrCat("the server at ", target, " does not let this caller ask that: ", said,
                          "\nAdd the right to the caller's `may` in the server's configuration, or "
                          "call with the token of another caller.");
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
