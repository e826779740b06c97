#include "server/frontend/http_server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <list>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"

namespace gatehouse::frontend {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr auto kRequestTime = std::chrono::seconds(5);
constexpr auto kReplyTime = std::chrono::seconds(5);
constexpr uint32_t kMaxHeaderBytes = 8 * 1024;
constexpr size_t kMaxConnections = 512;

class Session;

// The open connections, the one that has waited longest for a request first. Used
// on the server's thread alone.
using Sessions = std::list<std::weak_ptr<Session>>;

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, const HttpServer::Handler& handler, Sessions& open)
      : stream_(std::move(socket)), handler_(handler), open_(open) {}

  ~Session() { open_.erase(place_); }

  void Begin() {
    place_ = open_.insert(open_.end(), weak_from_this());
    Read();
  }

  void Close() {
    beast::error_code ignored;
    (void)stream_.socket().close(ignored);
  }

 private:
  void Read() {
    open_.splice(open_.end(), open_, place_);
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(0);
    stream_.expires_after(kRequestTime);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](beast::error_code error, size_t) { self->OnRead(error); });
  }

  void OnRead(beast::error_code error) {
    if (error == beast::error::timeout || error == http::error::end_of_stream ||
        error == asio::error::operation_aborted || error == asio::error::connection_reset) {
      return Close();
    }
    if (error == http::error::header_limit) return Write({431, "text/plain", "too large\n"}, false);
    if (error) return Write({400, "text/plain", "no valid HTTP request\n"}, false);
    const auto& request = parser_->get();
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
      return Write({405, "text/plain", "GET only\n"}, false);
    }
    const std::string target(request.target());
    Write(handler_(target.substr(0, target.find('?'))), request.keep_alive());
  }

  void Write(HttpReply reply, bool keep_alive) {
    const bool head = parser_->get().method() == http::verb::head;
    auto response = std::make_shared<http::response<http::string_body>>();
    response->version(11);
    response->result(static_cast<unsigned>(reply.status));
    response->set(http::field::content_type, reply.content_type);
    response->set(http::field::cache_control, "no-store");
    if (reply.status == 405) response->set(http::field::allow, "GET, HEAD");
    response->keep_alive(keep_alive);
    response->body() = std::move(reply.body);
    response->prepare_payload();
    if (head) response->body().clear();
    stream_.expires_after(kReplyTime);
    http::async_write(stream_, *response,
                      [self = shared_from_this(), response](beast::error_code error, size_t) {
                        if (error || response->need_eof()) return self->Close();
                        self->Read();
                      });
  }

  beast::tcp_stream stream_;
  const HttpServer::Handler& handler_;
  Sessions& open_;
  Sessions::iterator place_;
  beast::flat_buffer buffer_{kMaxHeaderBytes + 1024};
  std::optional<http::request_parser<http::empty_body>> parser_;
};

class BeastServer final : public HttpServer {
 public:
  explicit BeastServer(Handler handler) : handler_(std::move(handler)) {}

  ~BeastServer() override {
    asio::post(context_, [this] {
      beast::error_code ignored;
      (void)acceptor_.close(ignored);
      for (const auto& session : open_) {
        if (const auto live = session.lock()) live->Close();
      }
      context_.stop();
    });
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Listen(const std::string& host, uint16_t port) {
    beast::error_code error;
    tcp::resolver resolver(context_);
    const auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive, error);
    if (!error) {
      const tcp::endpoint endpoint = found.begin()->endpoint();
      (void)acceptor_.open(endpoint.protocol(), error);
      if (!error) (void)acceptor_.set_option(asio::socket_base::reuse_address(true), error);
      if (!error) (void)acceptor_.bind(endpoint, error);
      if (!error) (void)acceptor_.listen(asio::socket_base::max_listen_connections, error);
      if (!error) port_ = acceptor_.local_endpoint(error).port();
    }
    if (error) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen for HTTP on ", host, ":", port, ": ", error.message()));
    }
    Accept();
    thread_ = std::thread([this] { context_.run(); });
    return absl::OkStatus();
  }

  uint16_t port() const override { return port_; }

 private:
  void Accept() {
    acceptor_.async_accept([this](beast::error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) {
        // Out of descriptors, say. Wait for one to be given back.
        retry_.expires_after(std::chrono::milliseconds(100));
        retry_.async_wait([this](beast::error_code) { Accept(); });
        return;
      }
      if (open_.size() >= kMaxConnections) {
        if (const auto idlest = open_.front().lock()) idlest->Close();
      }
      std::make_shared<Session>(std::move(socket), handler_, open_)->Begin();
      Accept();
    });
  }

  const Handler handler_;
  Sessions open_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_{context_};
  asio::steady_timer retry_{context_};
  uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& host,
                                                              uint16_t port, Handler handler) {
  auto server = std::make_unique<BeastServer>(std::move(handler));
  if (absl::Status status = server->Listen(host, port); !status.ok()) return status;
  return server;
}

}  // namespace gatehouse::frontend
