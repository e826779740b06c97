#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/frontend/authorization_service.h"
#include "server/frontend/forward_auth.h"
#include "server/frontend/http_later.h"
#include "server/frontend/http_server.h"
#include "server/frontend/metrics.h"
#include "server/frontend/oauth.h"
#include "server/frontend/readiness.h"
#include "server/frontend/ruleset.h"
#include "server/revocation/store.h"

namespace gatehouse {

// The HTTP port, and those that proxies ask. What the store has still to do may end in here,
// also after Close: it goes first.
class HttpPorts {
 public:
  // All outlive this, but the store.
  struct Parts {
    const frontend::Rulesets& rulesets;
    frontend::AuthorizationService& service;
    revocation::RevocationStore& store;
    const frontend::Readiness& readiness;
    frontend::Metrics& metrics;
    const Clock& clock;
  };

  explicit HttpPorts(const Parts& parts) : parts_(parts) {}

  // Listens and serves. UNAVAILABLE, naming the address, if a port cannot be had.
  absl::Status Listen(const config::Config& config);

  // Lets all ports answer what they have begun, at once, for as long as `grace`. Then as Close.
  void Shutdown(absl::Duration grace);
  // Ends all ports. Idempotent.
  void Close();

  bool has_oauth() const { return oauth_ != nullptr; }
  int port() const { return http_->port(); }
  // In the configuration's order.
  std::vector<int> forward_auth_ports() const;

 private:
  // What proxies of one kind ask.
  struct Port {
    std::unique_ptr<frontend::ForwardAuth> handler;
    std::unique_ptr<frontend::HttpServer> server;
  };

  // On the HTTP port's thread.
  void Answer(const frontend::HttpRequest& request, frontend::HttpCall call);
  frontend::HttpReply StateReply(absl::string_view path) const;
  // Empty if there is such a path.
  std::string WhyNotFound(absl::string_view path) const;

  const Parts parts_;
  frontend::HttpWaits waits_;
  std::unique_ptr<frontend::OAuth> oauth_;  // null: not served
  std::unique_ptr<frontend::HttpServer> http_;
  std::vector<Port> ports_;
};

}  // namespace gatehouse
