#include "server/frontend/http_server.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <list>
#include <optional>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/frontend/http_head.h"

namespace gatehouse::frontend {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr auto kReplyTime = std::chrono::seconds(5);
// How long, and for how much, what was sent after a refused request is still taken, so that
// the client gets to read the refusal.
constexpr auto kLingerTime = std::chrono::seconds(1);
constexpr size_t kMaxLingerBytes = size_t{256} * 1024;

bool HasControlByte(absl::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

class Loop final : public HttpLoop {
 public:
  explicit Loop(asio::io_context& context) : context_(&context) {}

  void Post(std::function<void()> work) override GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (context_ != nullptr) asio::post(*context_, std::move(work));
  }

  void After(absl::Duration delay, std::function<void()> work) override GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (context_ == nullptr) return;
    const auto place = timers_.emplace(timers_.end(), *context_);
    place->expires_after(ending_ ? std::chrono::nanoseconds(0) : absl::ToChronoNanoseconds(delay));
    place->async_wait([this, place, work = std::move(work)](beast::error_code) {
      timers_.erase(place);
      work();
    });
  }

  // On the thread, as After.
  void EndTimers() {
    ending_ = true;
    for (asio::steady_timer& timer : timers_) timer.cancel();
  }

  // The context is about to go, and its thread has ended.
  void Detach() GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    context_ = nullptr;
    timers_.clear();
  }

 private:
  Mutex mu_;
  asio::io_context* context_ GH_GUARDED_BY(mu_);
  // The thread's own.
  std::list<asio::steady_timer> timers_;
  bool ending_ = false;
};

class Session;

// The open connections, the one on which nothing has happened for longest first, and what
// they have in common. For the server's thread alone.
struct Sessions {
  HttpOptions options;
  HttpServer::Handler handler;
  std::shared_ptr<Loop> loop;
  std::list<std::weak_ptr<Session>> open = {};
  bool draining = false;
  std::function<void()> on_empty = {};
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, Sessions& all) : stream_(std::move(socket)), all_(all) {}

  ~Session() {
    all_.open.erase(place_);
    if (all_.draining && all_.open.empty()) all_.on_empty();
  }

  void Begin() {
    place_ = all_.open.insert(all_.open.end(), weak_from_this());
    stream_.expires_after(absl::ToChronoNanoseconds(all_.options.request_time));
    deadline_is_set_ = true;
    Next();
  }

  void Close() {
    beast::error_code ignored;
    (void)stream_.socket().close(ignored);
    kept_.reset();
  }

  // Closes it unless a request is with the handler, or its reply on the way.
  void Drain() {
    if (!busy_) Close();
  }

 private:
  using Parser = http::request_parser<http::empty_body>;

  void Touch() { all_.open.splice(all_.open.end(), all_.open, place_); }

  // Reads the next request.
  void Next() {
    busy_ = false;
    scan_ = HttpHeadScan();
    request_ = HttpRequest();
    parser_.emplace();
    head_only_ = false;
    if (all_.draining) return Close();
    Touch();
    if (in_.empty() && !deadline_is_set_) {
      stream_.expires_after(absl::ToChronoNanoseconds(all_.options.idle_time));
      return Read([this] { OnHeadBytes(); });
    }
    OnHeadBytes();
  }

  template <typename Then>
  void Read(Then then) {
    stream_.async_read_some(asio::buffer(chunk_), [self = shared_from_this(), then](
                                                      beast::error_code error, size_t bytes) {
      if (error) return self->Close();  // gone, or too slow
      self->in_.append(self->chunk_.data(), bytes);
      then();
    });
  }

  void OnHeadBytes() {
    if (!deadline_is_set_) {
      stream_.expires_after(absl::ToChronoNanoseconds(all_.options.request_time));
      deadline_is_set_ = true;
    }
    const HttpHeadScan::State state = scan_.Look(in_);
    if (state == HttpHeadScan::State::kBad) return Refuse(400, "no valid HTTP request\n");
    const bool whole = state == HttpHeadScan::State::kWhole;
    if ((whole ? scan_.size() : in_.size()) > all_.options.max_head_bytes) {
      return Refuse(431, "too large\n");
    }
    if (!whole) return Read([this] { OnHeadBytes(); });
    OnHead();
  }

  void OnHead() {
    Touch();
    beast::error_code error;
    parser_->header_limit(static_cast<uint32_t>(scan_.size()) + 1);
    parser_->body_limit(boost::none);
    parser_->put(asio::buffer(in_.data(), scan_.size()), error);
    if (error || !parser_->is_header_done()) return Refuse(400, "no valid HTTP request\n");
    in_.erase(0, scan_.size());
    const auto& message = parser_->get();
    const auto text = [](beast::string_view view) { return std::string(view.data(), view.size()); };
    request_.method = text(message.method_string());
    request_.target = text(message.target());
    for (const auto& field : message) {
      request_.headers.emplace_back(text(field.name_string()), text(field.value()));
    }
    head_only_ = request_.method == "HEAD";
    keep_alive_ = message.version() == 11 && message.keep_alive();
    CheckHead(message.version());
  }

  size_t CountOf(absl::string_view name, absl::string_view* value = nullptr) const {
    size_t count = 0;
    for (const auto& [key, its_value] : request_.headers) {
      if (!absl::EqualsIgnoreCase(key, name)) continue;
      ++count;
      if (value != nullptr) *value = its_value;
    }
    return count;
  }

  void CheckHead(unsigned version) {
    const size_t hosts = CountOf("host");
    if (hosts > 1 || (hosts == 0 && version == 11)) return Refuse(400, "one Host is required\n");
    if (CountOf("transfer-encoding") != 0) {
      return Refuse(400, "Transfer-Encoding is not taken; send Content-Length\n");
    }
    if (request_.method == "CONNECT") return Refuse(405, "this is no proxy\n");
    absl::string_view length;
    const size_t lengths = CountOf("content-length", &length);
    const bool digits = std::all_of(length.begin(), length.end(), absl::ascii_isdigit);
    if (lengths > 1 || (lengths == 1 && (length.empty() || !digits))) {
      return Refuse(400, "no valid HTTP request\n");
    }
    uint64_t bytes = 0;
    if (lengths == 1 && !absl::SimpleAtoi(length, &bytes)) return Refuse(413, "too large\n");
    if (bytes == 0) return CheckExpect();
    const auto& takes_body = all_.options.takes_body;
    if (!takes_body || !takes_body(request_.method, request_.path())) {
      return Refuse(400, "this takes no body\n");
    }
    if (bytes > all_.options.max_body_bytes) return Refuse(413, "too large\n");
    body_bytes_ = bytes;
    CheckExpect();
  }

  void CheckExpect() {
    absl::string_view expect;
    const size_t expects = CountOf("expect", &expect);
    if (expects == 0) return OnBodyBytes();
    if (expects > 1 || !absl::EqualsIgnoreCase(expect, "100-continue")) {
      return Refuse(417, "only 100-continue can be expected\n");
    }
    // Who sends the body before it is asked to has it taken all the same.
    if (parser_->get().version() != 11 || in_.size() >= body_bytes_) return OnBodyBytes();
    static constexpr absl::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()),
                      [self = shared_from_this()](beast::error_code error, size_t) {
                        if (error) return self->Close();
                        self->OnBodyBytes();
                      });
  }

  void OnBodyBytes() {
    if (in_.size() < body_bytes_) return Read([this] { OnBodyBytes(); });
    request_.body = in_.substr(0, body_bytes_);
    in_.erase(0, body_bytes_);
    body_bytes_ = 0;
    Touch();
    busy_ = true;
    deadline_is_set_ = false;
    stream_.expires_never();
    kept_ = shared_from_this();  // nothing else holds it until there is an answer
    const uint64_t number = ++requests_;
    auto reply = [weak = weak_from_this(), number, loop = all_.loop](HttpReply answer) {
      loop->Post([weak, number, answer = std::move(answer)]() mutable {
        const auto self = weak.lock();
        if (self != nullptr) self->Answer(number, std::move(answer));
      });
    };
    all_.handler(std::exchange(request_, HttpRequest()),
                 {.reply = std::move(reply), .loop = all_.loop});
  }

  void Answer(uint64_t number, HttpReply reply) {
    if (kept_ == nullptr || number != requests_) return;  // answered already
    const auto self = std::exchange(kept_, nullptr);
    for (const auto& [name, value] : reply.headers) {
      if (HasControlByte(name) || HasControlByte(value)) {
        reply = {.status = 500, .body = "a header could not be sent\n"};
        break;
      }
    }
    Write(std::move(reply), keep_alive_ && !all_.draining);
  }

  void Refuse(int status, const char* why) {
    busy_ = true;
    Write({.status = status, .body = why}, false);
  }

  void Write(HttpReply reply, bool keep_alive) {
    auto response = std::make_shared<http::response<http::string_body>>();
    response->version(11);
    response->result(static_cast<unsigned>(reply.status));
    if (!reply.content_type.empty()) {
      response->set(http::field::content_type, reply.content_type);
    }
    response->set(http::field::cache_control, "no-store");
    for (const auto& [name, value] : reply.headers) response->insert(name, value);
    response->keep_alive(keep_alive);
    response->body() = std::move(reply.body);
    response->prepare_payload();
    if (head_only_) response->body().clear();
    stream_.expires_after(kReplyTime);
    http::async_write(stream_, *response,
                      [self = shared_from_this(), response](beast::error_code error, size_t) {
                        if (error) return self->Close();
                        if (response->need_eof()) return self->Linger();
                        self->Next();
                      });
  }

  // A connection that is closed with bytes unread is reset, and the reply perhaps lost.
  void Linger() {
    busy_ = false;
    if (all_.draining) return Close();
    beast::error_code ignored;
    (void)stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kLingerTime);
    TakeRest(0);
  }

  void TakeRest(size_t taken) {
    if (taken > kMaxLingerBytes) return Close();
    stream_.async_read_some(asio::buffer(chunk_), [self = shared_from_this(), taken](
                                                      beast::error_code error, size_t bytes) {
      if (error) return self->Close();
      self->TakeRest(taken + bytes);
    });
  }

  beast::tcp_stream stream_;
  Sessions& all_;
  std::list<std::weak_ptr<Session>>::iterator place_;
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
  std::shared_ptr<Session> kept_;
};

class BeastServer final : public HttpServer {
 public:
  BeastServer(const HttpOptions& options, Handler handler)
      : loop_(std::make_shared<Loop>(context_)),
        all_{.options = options, .handler = std::move(handler), .loop = loop_} {
    all_.on_empty = [this] { context_.stop(); };
  }

  ~BeastServer() override {
    if (thread_.joinable()) BeastServer::Shutdown(absl::ZeroDuration());
    all_.on_empty = [] {};
    ForEach([](Session& session) { session.Close(); });
    loop_->Detach();
  }

  void Shutdown(absl::Duration grace) override {
    asio::post(context_, [this, grace] {
      beast::error_code ignored;
      (void)acceptor_.close(ignored);
      (void)retry_.cancel();
      all_.draining = true;
      loop_->EndTimers();
      ForEach([](Session& session) { session.Drain(); });
      retry_.expires_after(absl::ToChronoNanoseconds(grace));
      retry_.async_wait([this](beast::error_code) { context_.stop(); });
      if (all_.open.empty()) context_.stop();
    });
    thread_.join();
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
      if (error == asio::error::operation_aborted || all_.draining) return;
      if (error) {
        // Out of descriptors, say. Wait for one to be given back.
        retry_.expires_after(std::chrono::milliseconds(100));
        retry_.async_wait([this](beast::error_code) {
          if (!all_.draining) Accept();
        });
        return;
      }
      if (all_.open.size() >= all_.options.max_connections) {
        if (const auto idlest = all_.open.front().lock()) idlest->Close();
      }
      std::make_shared<Session>(std::move(socket), all_)->Begin();
      Accept();
    });
  }

  template <typename Do>
  void ForEach(Do what) {
    std::vector<std::shared_ptr<Session>> live;
    live.reserve(all_.open.size());
    for (const auto& session : all_.open) {
      if (auto one = session.lock()) live.push_back(std::move(one));
    }
    for (const auto& session : live) what(*session);
  }

  uint16_t port_ = 0;
  std::shared_ptr<Loop> loop_;
  Sessions all_;
  // Goes before what sessions use: it holds the last references to them.
  asio::io_context context_{1};
  tcp::acceptor acceptor_{context_};
  asio::steady_timer retry_{context_};
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& host,
                                                              uint16_t port,
                                                              const HttpOptions& options,
                                                              Handler handler) {
  auto server = std::make_unique<BeastServer>(options, std::move(handler));
  if (absl::Status status = server->Listen(host, port); !status.ok()) return status;
  return server;
}

}  // namespace gatehouse::frontend
