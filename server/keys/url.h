#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// URLs as libcurl reads them, so that what is checked is what is fetched.
namespace gatehouse::keys {

struct Url {
  std::string scheme;  // lower case
  std::string host;    // without the brackets of an IPv6 address
  bool has_credentials = false;
  bool has_fragment = false;
};

// INVALID_ARGUMENT with the reason; the message does not hold the URL, which may
// hold a password.
absl::StatusOr<Url> ParseUrl(const std::string& url);

// What is wrong with the URL that keys are to come from; empty if nothing. https, or
// http on a loopback host or where `http_anywhere`; no credentials, no fragment. Does
// not show the URL.
std::string WhyNoKeyUrl(const std::string& url, bool http_anywhere);

// 127.0.0.0/8, ::1 and "localhost", without brackets.
bool IsLoopbackHost(absl::string_view host);

// The URL for logs and messages: its query, which may hold a key, is left out.
std::string WithoutQuery(absl::string_view url);

}  // namespace gatehouse::keys
