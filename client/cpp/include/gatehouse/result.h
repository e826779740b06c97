#pragma once

#include <string>
#include <utility>
#include <variant>

namespace gatehouse {

// Why there is no answer. Whatever it is, a web backend answers with 503: nothing was
// decided, so nothing is allowed and nobody is signed out.
enum class ErrorCode {
  kUnknown,             // the call ended in a way that no Gatehouse uses
  kSetting,             // a setting is wrong; the message names it
  kUnavailable,         // no decision can be had now; was tried again as far as allowed
  kDeadlineExceeded,    // the call's own deadline passed
  kResourceExhausted,   // too much at once, or a message too large
  kInvalidArgument,     // the question is malformed; the message names the field
  kFailedPrecondition,  // refused in the present state of the server
  kUnauthenticated,     // this service is not known to the server
  kPermissionDenied,    // this service has no right to ask that
  kNotFound,            // what is to be reinstated is not there
  kUnimplemented,       // what answers is no Gatehouse, or an older one
  kCancelled,           // the client was destroyed, or the server ended the call
};

// As gRPC names it: "UNAVAILABLE"; "SETTING" where that has no name.
const char* ErrorCodeName(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kUnknown;
  // For the developer. Holds no token and no secret.
  std::string message;
};

// A value, or why there is none. Reading the one that is not there throws
// std::bad_variant_access.
template <class T>
class Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT: meant to convert
  Result(Error error) : value_(std::move(error)) {}  // NOLINT: meant to convert

  bool ok() const { return std::holds_alternative<T>(value_); }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return std::get<Error>(value_); }
  T& value() & { return std::get<T>(value_); }
  const T& value() const& { return std::get<T>(value_); }
  T&& value() && { return std::get<T>(std::move(value_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Error> value_;
};

}  // namespace gatehouse
