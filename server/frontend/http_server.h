#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace gatehouse::frontend {

struct HttpReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// The HTTP port: GET and HEAD on a few paths, on one thread. A request must be
// complete within 5 s, has no body, and 8 KiB of header at most; at most 512
// connections are open, the idlest of them gives way to a new one.
class HttpServer {
 public:
  // The reply for a path ("/livez"), 404 for one it does not know. Called on the
  // server's thread; must not block.
  using Handler = std::function<HttpReply(const std::string& path)>;

  // Listens when this returns. UNAVAILABLE, naming the address, if it cannot.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& host, uint16_t port,
                                                           Handler handler);
  // Closes every connection and joins the thread.
  virtual ~HttpServer() = default;

  virtual uint16_t port() const = 0;
};

}  // namespace gatehouse::frontend
