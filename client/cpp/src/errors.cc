#include "client/cpp/src/errors.h"

#include "client/cpp/src/text.h"

namespace gatehouse {
namespace client {
namespace {

bool Contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

// What to look at when nobody was reached. gRPC says so in words alone.
std::string Unreached(const std::string& said, const Settings& settings) {
  const bool handshake = Contains(said, "andshake") || Contains(said, "ertificate") ||
                         Contains(said, "SSL") || Contains(said, "TLS");
  if (handshake && !settings.ca_file.empty()) {
    std::string advice =
        "; look at ca_file (GATEHOUSE_CA_FILE): is the server's certificate signed "
        "by it, and does it name the target?";
    if (!settings.cert_file.empty()) {
      advice += " And at cert_file (GATEHOUSE_CERT_FILE): does the server trust it?";
    }
    return advice;
  }
  if (Contains(said, "DNS resolution failed") || Contains(said, "resolve")) {
    return "; look at target (GATEHOUSE_TARGET): its name does not resolve";
  }
  if (Contains(said, "ocket closed") || Contains(said, "onnection reset") ||
      Contains(said, "HTTP2") || Contains(said, "http2")) {
    return settings.ca_file.empty() ? "; if it stays so, does the server at target "
                                      "(GATEHOUSE_TARGET) want TLS? Then set "
                                      "ca_file (GATEHOUSE_CA_FILE)"
                                    : "; if it stays so, look at target (GATEHOUSE_TARGET)";
  }
  if (Contains(said, "failed to connect") || Contains(said, "connections to all backends")) {
    std::string advice =
        "; is gatehouse-server running there? Else look at target (GATEHOUSE_TARGET)";
    if (!settings.ca_file.empty()) advice += " and ca_file (GATEHOUSE_CA_FILE)";
    return advice;
  }
  return "";
}

std::string Advice(const std::string& said, ErrorCode code, const Settings& settings) {
  switch (code) {
    case ErrorCode::kUnavailable:
      return Unreached(said, settings);
    case ErrorCode::kDeadlineExceeded:
      return "; the deadline (GATEHOUSE_DEADLINE) has passed. Does anybody answer at target "
             "(GATEHOUSE_TARGET)?";
    case ErrorCode::kUnauthenticated:
      return settings.token_file.empty()
                 ? "; set token_file (GATEHOUSE_TOKEN_FILE) to the file with this service's token"
                 : "; the token in token_file (GATEHOUSE_TOKEN_FILE) is that of none of the "
                   "server's callers";
    case ErrorCode::kPermissionDenied:
      return "; add the right to this caller's `may` in the server's configuration, or look at "
             "token_file (GATEHOUSE_TOKEN_FILE)";
    case ErrorCode::kUnimplemented:
      return "; what answers at target (GATEHOUSE_TARGET) is no gatehouse-server, or an older one "
             "than this client";
    default:
      return "";
  }
}

}  // namespace

ErrorCode ErrorCodeOf(int grpc_code) {
  switch (grpc_code) {
    case 1:
      return ErrorCode::kCancelled;
    case 3:
      return ErrorCode::kInvalidArgument;
    case 4:
      return ErrorCode::kDeadlineExceeded;
    case 5:
      return ErrorCode::kNotFound;
    case 7:
      return ErrorCode::kPermissionDenied;
    case 8:
      return ErrorCode::kResourceExhausted;
    case 9:
      return ErrorCode::kFailedPrecondition;
    case 12:
      return ErrorCode::kUnimplemented;
    case 14:
      return ErrorCode::kUnavailable;
    case 16:
      return ErrorCode::kUnauthenticated;
    default:
      return ErrorCode::kUnknown;
  }
}

Error Explain(const char* method, const Transport::Status& status, const Settings& settings) {
  const ErrorCode code = ErrorCodeOf(status.code);
  return {code, std::string(method) + " at " + Printable(settings.target) + ": " +
                    ErrorCodeName(code) + ": " + Printable(status.message) +
                    Advice(status.message, code, settings)};
}

}  // namespace client

const char* ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kSetting:
      return "SETTING";
    case ErrorCode::kUnavailable:
      return "UNAVAILABLE";
    case ErrorCode::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case ErrorCode::kResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case ErrorCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case ErrorCode::kFailedPrecondition:
      return "FAILED_PRECONDITION";
    case ErrorCode::kUnauthenticated:
      return "UNAUTHENTICATED";
    case ErrorCode::kPermissionDenied:
      return "PERMISSION_DENIED";
    case ErrorCode::kNotFound:
      return "NOT_FOUND";
    case ErrorCode::kUnimplemented:
      return "UNIMPLEMENTED";
    case ErrorCode::kCancelled:
      return "CANCELLED";
    case ErrorCode::kUnknown:
      break;
  }
  return "UNKNOWN";
}

}  // namespace gatehouse
