#include "server/config/header_names.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"

namespace gatehouse::config {
namespace {

constexpr size_t kMaxName = 128;

// That proxies, servers or browsers act on.
constexpr std::array<absl::string_view, 31> kTaken = {"accept",
                                                      "accept-encoding",
                                                      "authorization",
                                                      "connection",
                                                      "content-length",
                                                      "content-type",
                                                      "cookie",
                                                      "date",
                                                      "expect",
                                                      "forwarded",
                                                      "host",
                                                      "http2-settings",
                                                      "keep-alive",
                                                      "location",
                                                      "origin",
                                                      "range",
                                                      "referer",
                                                      "server",
                                                      "set-cookie",
                                                      "te",
                                                      "trailer",
                                                      "transfer-encoding",
                                                      "upgrade",
                                                      "user-agent",
                                                      "via",
                                                      "www-authenticate",
                                                      "x-http-method",
                                                      "x-http-method-override",
                                                      "x-method-override",
                                                      "x-real-ip",
                                                      "x-request-id"};
constexpr std::array<absl::string_view, 8> kTakenPrefixes = {
    "access-control-", "content-",     "if-",         "proxy-", "sec-",
    "x-envoy-",        "x-forwarded-", "x-gatehouse-"};

}  // namespace

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("!#$%&'*+-.^_`|~").find(c) != absl::string_view::npos;
  });
}

std::string WhyNoIdentityHeader(absl::string_view name) {
  const std::string quoted = absl::StrCat("\"", log::Escape(name, 64), "\"");
  if (!IsToken(name) || name.size() > kMaxName) {
    return quoted + " is no header's name: write for example x-auth-subject, or none";
  }
  if (absl::AsciiStrToLower(name) != name) return quoted + " must be in lower case";
  if (absl::StrContains(name, '_')) {
    return quoted + " has a '_', and proxies drop such headers: use '-'";
  }
  const bool is_taken =
      std::find(kTaken.begin(), kTaken.end(), name) != kTaken.end() ||
      std::any_of(kTakenPrefixes.begin(), kTakenPrefixes.end(),
                  [name](absl::string_view prefix) { return absl::StartsWith(name, prefix); });
  if (!is_taken) return "";
  return quoted + " means something else to proxies or services: use a name such as x-auth-subject";
}

}  // namespace gatehouse::config
