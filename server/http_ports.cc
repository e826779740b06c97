#include "server/http_ports.h"

#include <thread>
#include <utility>

#include "server/base/status_macros.h"

namespace gatehouse {

absl::Status HttpPorts::Listen(const config::Config& config) {
  frontend::HttpOptions options;
  if (config.oauth) {
    oauth_ = std::make_unique<frontend::OAuth>(parts_.rulesets, parts_.service, parts_.store,
                                               waits_, parts_.metrics, parts_.clock);
    options.takes_body = [](absl::string_view method, absl::string_view path) {
      return method == "POST" && frontend::OAuth::Has(path);
    };
  }
  options.not_found = [this](absl::string_view path) { return WhyNotFound(path); };
  GH_ASSIGN_OR_RETURN(http_,
                      frontend::HttpServer::Start(
                          config.http.host, config.http.port, options,
                          [this](const frontend::HttpRequest& request, frontend::HttpCall call) {
                            Answer(request, std::move(call));
                          }));
  for (const config::ForwardAuth& one : config.forward_auth) {
    auto handler = std::make_unique<frontend::ForwardAuth>(one, parts_.rulesets, waits_,
                                                           parts_.metrics, parts_.clock);
    GH_ASSIGN_OR_RETURN(auto server, frontend::HttpServer::Start(
                                         one.address.host, one.address.port,
                                         {.max_head_bytes = frontend::ForwardAuth::kMaxHeadBytes},
                                         [handler = handler.get()](frontend::HttpRequest request,
                                                                   frontend::HttpCall call) {
                                           handler->Answer(std::move(request), std::move(call));
                                         }));
    ports_.push_back({.handler = std::move(handler), .server = std::move(server)});
  }
  return absl::OkStatus();
}

void HttpPorts::Shutdown(absl::Duration grace) {
  std::vector<std::thread> ends;
  ends.reserve(ports_.size());
  for (Port& port : ports_) {
    ends.emplace_back([&port, grace] { port.server->Shutdown(grace); });
  }
  http_->Shutdown(grace);
  for (std::thread& end : ends) end.join();
  Close();
}

void HttpPorts::Close() {
  ports_.clear();
  http_.reset();
}

std::vector<int> HttpPorts::forward_auth_ports() const {
  std::vector<int> ports;
  ports.reserve(ports_.size());
  for (const Port& port : ports_) ports.push_back(port.server->port());
  return ports;
}

void HttpPorts::Answer(const frontend::HttpRequest& request, frontend::HttpCall call) {
  if (oauth_ != nullptr && frontend::OAuth::Has(request.path())) {
    return oauth_->Answer(request, std::move(call));
  }
  if (const std::string why = WhyNotFound(request.path()); !why.empty()) {
    return call.reply({.status = 404, .body = why});
  }
  if (request.method != "GET" && request.method != "HEAD") {
    return call.reply({.status = 405, .body = "GET only\n", .headers = {{"Allow", "GET, HEAD"}}});
  }
  call.reply(StateReply(request.path()));
}

frontend::HttpReply HttpPorts::StateReply(absl::string_view path) const {
  if (path == "/livez") return {.body = "alive\n"};
  if (path == "/readyz") {
    return {.status = parts_.readiness.ready() ? 200 : 503, .body = parts_.readiness.Text()};
  }
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
          .body = parts_.metrics.Text()};
}

std::string HttpPorts::WhyNotFound(absl::string_view path) const {
  if (path == "/livez" || path == "/readyz" || path == "/metrics") return "";
  if (oauth_ == nullptr) return "there is /livez, /readyz and /metrics\n";
  if (frontend::OAuth::Has(path)) return "";
  return "there is /livez, /readyz, /metrics, /oauth/introspect and /oauth/revoke\n";
}

}  // namespace gatehouse
