#pragma once

#include <string>
#include <utility>
#include <vector>

// What the configuration says of requests that proxies ask about. Values.
namespace gatehouse::edge {

// Names of headers, in lower case. Empty: none.
struct IdentityHeaders {
  std::string subject = "x-auth-subject";
  std::string roles = "x-auth-roles";  // joined by commas
  std::string tenant = "x-auth-tenant";
  std::string issuer = {};
  std::string scopes = {};  // joined by spaces
  std::string email = {};

  bool operator==(const IdentityHeaders& other) const = default;
};

struct Settings {
  // The cookie that the token may stand in. Empty: none.
  std::string cookie = {};
  // In lower case: "https://app.example.com", "http://localhost:3000".
  std::vector<std::string> origins = {};
  IdentityHeaders identity = {};
  // Whether the token is taken out of the request before it goes upstream.
  bool strip_token = false;
  // Added to every response: ("x-content-type-options", "nosniff").
  std::vector<std::pair<std::string, std::string>> security_headers = {};
  // Of WWW-Authenticate. Printable, without quotes and backslashes.
  std::string realm = "gatehouse";

  bool operator==(const Settings& other) const = default;
};

}  // namespace gatehouse::edge
