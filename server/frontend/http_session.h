#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "server/frontend/http_head.h"
#include "server/frontend/http_server.h"

// HttpServer's own: nobody else includes it, or Boost.
namespace gatehouse::frontend {

class HttpSession;

// The open connections, the one on which nothing has happened for longest first, and what
// they have in common. For the port's thread alone; outlives them.
struct HttpSessions {
  HttpOptions options;
  HttpServer::Handler handler;
  std::shared_ptr<HttpLoop> loop;
  std::list<std::weak_ptr<HttpSession>> open = {};
  // Nothing new is begun; on_empty is called when the last one has gone.
  bool draining = false;
  std::function<void()> on_empty = [] {};
};

// One connection. Lives as long as something is under way on it.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(boost::asio::ip::tcp::socket socket, HttpSessions& all)
      : stream_(std::move(socket)), all_(all) {}
  ~HttpSession();

  // Once, when it is held by a shared_ptr.
  void Begin();
  void Close();
  // Closes it unless a request is with the handler, or its reply on the way.
  void Drain() {
    if (!busy_) Close();
  }

 private:
  using Error = boost::beast::error_code;
  using Parser = boost::beast::http::request_parser<boost::beast::http::empty_body>;

  void Touch() { all_.open.splice(all_.open.end(), all_.open, place_); }
  // Reads the next request.
  void Next();
  // Goes on with `then` when more has come.
  void Read(void (HttpSession::*then)());
  void OnHeadBytes();
  void OnHead();
  // How many headers have the name; `value`: the last one's.
  size_t CountOf(absl::string_view name, absl::string_view* value = nullptr) const;
  void CheckHead(unsigned version);
  void CheckBody();
  void CheckExpect();
  void OnBodyBytes();
  void Handle();
  void Answer(uint64_t number, HttpReply reply);
  void Refuse(int status, std::string why);
  void Write(HttpReply reply, bool keep_alive);
  void Linger();
  void TakeRest(size_t taken);

  boost::beast::tcp_stream stream_;
  HttpSessions& all_;
  std::list<std::weak_ptr<HttpSession>>::iterator place_;
  std::array<char, 4096> chunk_{};
  std::string in_;  // from the first byte that is no part of a request before
  HttpHeadScan scan_;
  std::optional<Parser> parser_;
  HttpRequest request_;
  uint64_t body_bytes_ = 0;
  uint64_t requests_ = 0;
  bool deadline_is_set_ = false;
  bool head_only_ = false;
  bool keep_alive_ = false;
  bool busy_ = false;
  // Itself, while a request is with the handler.
  std::shared_ptr<HttpSession> kept_;
};

}  // namespace gatehouse::frontend
