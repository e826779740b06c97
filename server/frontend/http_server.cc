#include "server/frontend/http_server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <list>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/frontend/http_session.h"

namespace gatehouse::frontend {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;

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
    ForEach([](HttpSession& session) { session.Close(); });
    loop_->Detach();
  }

  void Shutdown(absl::Duration grace) override {
    asio::post(context_, [this, grace] {
      beast::error_code ignored;
      (void)acceptor_.close(ignored);
      (void)retry_.cancel();
      all_.draining = true;
      loop_->EndTimers();
      ForEach([](HttpSession& session) { session.Drain(); });
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
      std::make_shared<HttpSession>(std::move(socket), all_)->Begin();
      Accept();
    });
  }

  template <typename Do>
  void ForEach(Do what) {
    std::vector<std::shared_ptr<HttpSession>> live;
    live.reserve(all_.open.size());
    for (const auto& session : all_.open) {
      if (auto one = session.lock()) live.push_back(std::move(one));
    }
    for (const auto& session : live) what(*session);
  }

  uint16_t port_ = 0;
  std::shared_ptr<Loop> loop_;
  HttpSessions all_;
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
