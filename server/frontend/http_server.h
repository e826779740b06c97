#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/frontend/http_loop.h"

namespace gatehouse::frontend {

struct HttpRequest {
  std::string method;
  std::string target;  // as it was sent: a path, perhaps a query
  // Each as often as it was sent, in the order of those of its name; values without white
  // space around them.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // The target without its query.
  absl::string_view path() const { return absl::string_view(target).substr(0, target.find('?')); }
};

struct HttpReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";  // empty: none is said
  std::string body = {};
  // Beside Content-Type, Content-Length, Connection and Cache-Control: no-store.
  std::vector<std::pair<std::string, std::string>> headers = {};
};

// How a request is answered.
struct HttpCall {
  // Call once, on any thread, at any time: where nobody waits any more nothing happens.
  // A reply whose headers hold control bytes is sent as 500.
  std::function<void(HttpReply)> reply;
  // The port's, for going on later.
  std::shared_ptr<HttpLoop> loop;
};

struct HttpOptions {
  // A token in a query or a body needs none, and three encodings of a caller's token
  // 2.5 KiB: only who passes on whole requests needs more.
  size_t max_head_bytes = size_t{8} * 1024;
  // Whether a request may have a body, by its method and path; others may not.
  std::function<bool(absl::string_view method, absl::string_view path)> takes_body = {};
  // What 404 says of a path that there is not; empty for one that there is. Null: the handler
  // alone knows.
  std::function<std::string(absl::string_view path)> not_found = {};
  size_t max_body_bytes = size_t{16} * 1024;
  size_t max_connections = 512;
  // How long a request may take from its first byte to its last, and the first one to come.
  absl::Duration request_time = absl::Seconds(5);
  // How long a connection that has had an answer may wait for the next request.
  absl::Duration idle_time = absl::Seconds(60);
};

// An HTTP/1 port, on a thread of its own. A request has one reading (HttpHeadScan), one
// Host (HTTP/1.1), and one Content-Length if it has a body: Transfer-Encoding is refused,
// so that no chunk can end elsewhere for somebody else. What is refused closes its
// connection. Of a connection one request at a time is with the handler. Where there are
// too many connections, the one on which nothing has happened for longest gives way to a
// new one.
class HttpServer {
 public:
  // Called on the port's thread; must not block.
  using Handler = std::function<void(HttpRequest, HttpCall)>;

  // Listens when this returns. UNAVAILABLE, naming the address, if it cannot.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& host, uint16_t port,
                                                           const HttpOptions& options,
                                                           Handler handler);

  // Takes no new connections and requests, ends what waits with HttpLoop::After, and gives
  // what is with the handler `grace` to be answered. Then, and in any case in the
  // destructor, every connection is closed and the thread has ended. Once.
  virtual void Shutdown(absl::Duration grace) = 0;
  virtual ~HttpServer() = default;

  virtual uint16_t port() const = 0;
};

}  // namespace gatehouse::frontend
