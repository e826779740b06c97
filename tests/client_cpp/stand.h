#pragma once

#include <sys/types.h>

#include <cstdio>
#include <string>
#include <utility>

#include "gatehouse/client.h"
#include "tests/client_cpp/json.h"

namespace gatehouse::client {

// A real gatehouse-server behind a proxy: tests/clients/server.py. Ends with this.
class Stand {
 public:
  Stand();
  ~Stand();
  Stand(const Stand&) = delete;
  Stand& operator=(const Stand&) = delete;

  // Does what `command`, a JSON object, says. What comes back; a failure fails the test.
  Json Do(const std::string& command);
  // {"do": NAME}
  Json Simply(const std::string& name) { return Do("{\"do\": \"" + name + "\"}"); }
  Json Proxy(const std::string& op, const std::string& more = "");

  std::string grpc() const { return Get(ready_, "grpc").string_value(); }
  std::string proxy() const { return Get(ready_, "proxy").string_value(); }
  std::string token(const std::string& name) const;
  // A new token with this subject and jti.
  std::string NewToken(const std::string& subject);
  // Revokes it as an administrator. The moments by CLOCK_MONOTONIC, in seconds, before the
  // call and behind its answer.
  std::pair<double, double> Revoke(const std::string& token);
  // With the caller's token; "none" has none.
  Settings SettingsFor(const std::string& target, const std::string& caller = "backend") const;

 private:
  std::string ReadLine();

  pid_t process_ = -1;
  std::FILE* to_ = nullptr;
  std::FILE* from_ = nullptr;
  Json ready_;
};

// The one of all tests, so that not each of them starts a server.
Stand& SharedStand();

}  // namespace gatehouse::client
