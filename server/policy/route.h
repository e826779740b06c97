#pragma once

#include <string>
#include <vector>

// A route as it was written, before it is compiled. A value; the configuration fills it in.
namespace gatehouse::policy {

struct Route {
  // What a request needs beside a match.
  enum class Needs {
    kNothing,   // public: no token is asked for
    kToken,     // a good token, whoever it speaks for
    kDecision,  // that the policy allows `action` on `resource`
  };

  // "GET"; GET covers HEAD. Empty: any.
  std::vector<std::string> methods = {};
  // In lower case, without port: "api.example.com", or "*.example.com" for all names below.
  // Empty: any.
  std::vector<std::string> hosts = {};
  // "/api/{owner}/tasks/{id}", "/static/**". A segment of text may not begin with ':' nor be
  // "<name>", which are other routers' names.
  std::string path = {};
  Needs needs = Needs::kDecision;
  // "task/{id}": names of `path` in braces.
  std::string resource = {};
  std::string action = {};
  // Not empty: a token's `aud` must hold one of these too.
  std::vector<std::string> audiences = {};
  // Not empty: the peer's SPIFFE id must be one of these; one that ends with "/*" stands for
  // all below it. Asked before the token, on public routes too.
  std::vector<std::string> peers = {};
  // CORS preflights pass.
  bool preflight = false;
  // Where it stands: "gatehouse.yaml:30: routes[2]".
  std::string place = {};

  bool operator==(const Route& other) const = default;
};

}  // namespace gatehouse::policy
