#include "server/keys/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace gatehouse::keys {
namespace {

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, UrlDeleter>;

// Empty if the URL has no such part.
std::string Part(CURLU* url, CURLUPart what) {
  char* part = nullptr;
  if (curl_url_get(url, what, &part, 0) != CURLUE_OK || part == nullptr) return "";
  std::string text = part;
  curl_free(part);
  return text;
}

bool HasPart(CURLU* url, CURLUPart what) {
  char* part = nullptr;
  const bool has = curl_url_get(url, what, &part, 0) == CURLUE_OK && part != nullptr;
  curl_free(part);
  return has;
}

}  // namespace

absl::StatusOr<Url> ParseUrl(const std::string& url) {
  if (url.find('\0') != std::string::npos) return absl::InvalidArgumentError("holds a NUL byte");
  const UrlHandle handle(curl_url());
  if (handle == nullptr) return absl::ResourceExhaustedError("out of memory");
  // Without this flag libcurl refuses schemes it does not fetch with a message of
  // its own; ours names the scheme's rule.
  const CURLUcode code =
      curl_url_set(handle.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME);
  if (code != CURLUE_OK) {
    return absl::InvalidArgumentError(absl::StrCat("is no URL: ", curl_url_strerror(code)));
  }
  Url parsed;
  parsed.scheme = Part(handle.get(), CURLUPART_SCHEME);
  parsed.host = Part(handle.get(), CURLUPART_HOST);
  if (parsed.host.size() >= 2 && parsed.host.front() == '[' && parsed.host.back() == ']') {
    parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
  }
  parsed.has_credentials =
      HasPart(handle.get(), CURLUPART_USER) || HasPart(handle.get(), CURLUPART_PASSWORD);
  parsed.has_fragment = HasPart(handle.get(), CURLUPART_FRAGMENT) || absl::StrContains(url, '#');
  return parsed;
}

std::string WhyNoKeyUrl(const std::string& url, bool http_anywhere) {
  const auto parsed = ParseUrl(url);
  if (!parsed.ok()) return std::string(parsed.status().message());
  if (parsed->scheme != "https" && parsed->scheme != "http") return "must begin with https://";
  if (parsed->has_credentials) return "must not hold a user name or password";
  if (parsed->has_fragment) return "must not hold a fragment (#...)";
  if (parsed->host.empty()) return "names no host";
  if (parsed->scheme == "http" && !http_anywhere && !IsLoopbackHost(parsed->host)) {
    return "must be https, since whoever can change the keys on their way can mint tokens; http "
           "is accepted only for 127.0.0.0/8, [::1] and localhost, and with http_behind_mesh";
  }
  return "";
}

bool IsLoopbackHost(absl::string_view host) {
  if (absl::EqualsIgnoreCase(host, "localhost")) return true;
  const std::string text(host);
  if (text.find('\0') != std::string::npos) return false;
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::string WithoutQuery(absl::string_view url) {
  const size_t query = url.find('?');
  if (query == absl::string_view::npos) return std::string(url);
  return absl::StrCat(url.substr(0, query), "?...");
}

}  // namespace gatehouse::keys
