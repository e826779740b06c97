#include "tests/keys/jwks_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace gatehouse::keys {
namespace {

void Check(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::abort();
}

// False when the client has gone.
bool SendAll(int connection, const std::string& bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t now = ::send(connection, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (now <= 0) return false;
    sent += static_cast<size_t>(now);
  }
  return true;
}

std::string ReadRequest(int connection) {
  std::string request;
  char buffer[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t got = ::recv(connection, buffer, sizeof(buffer), 0);
    if (got <= 0) return "";
    request.append(buffer, static_cast<size_t>(got));
    constexpr char kTlsHandshake = 0x16;
    if (request[0] == kTlsHandshake) return "";
  }
  return request;
}

std::string PathOf(const std::string& request) {
  const size_t begin = request.find(' ') + 1;
  return request.substr(begin, request.find(' ', begin) - begin);
}

}  // namespace

JwksServer::JwksServer(Reply reply, bool start) : reply_(std::move(reply)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Check(listener_ >= 0, "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  Check(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
  Check(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  port_ = ntohs(address.sin_port);
  if (start) Start();
}

JwksServer::~JwksServer() {
  {
    MutexLock lock(mu_);
    stopped_ = true;
  }
  changed_.NotifyAll();
  ::shutdown(listener_, SHUT_RDWR);
  if (thread_.joinable()) thread_.join();
  ::close(listener_);
}

void JwksServer::Start() {
  Check(::listen(listener_, 64) == 0, "listen");
  thread_ = std::thread([this] { Serve(); });
}

std::string JwksServer::Url(const std::string& path) const {
  return absl::StrCat("http://127.0.0.1:", port_, path);
}

void JwksServer::SetReply(Reply reply) {
  MutexLock lock(mu_);
  reply_ = std::move(reply);
}

void JwksServer::SetReply(const std::string& path, Reply reply) {
  MutexLock lock(mu_);
  by_path_[path] = std::move(reply);
}

int JwksServer::RequestsFor(const std::string& path) const {
  MutexLock lock(mu_);
  const auto found = requests_by_path_.find(path);
  return found == requests_by_path_.end() ? 0 : found->second;
}

int JwksServer::NotModified() const {
  MutexLock lock(mu_);
  return not_modified_;
}

void JwksServer::Release() {
  {
    MutexLock lock(mu_);
    released_ = true;
  }
  changed_.NotifyAll();
}

int JwksServer::Requests() const {
  MutexLock lock(mu_);
  return requests_;
}

void JwksServer::WaitForRequests(int count) const {
  MutexLock lock(mu_);
  while (requests_ < count) changed_.Wait(mu_);
}

void JwksServer::WaitForHangUps(int count) const {
  MutexLock lock(mu_);
  while (hang_ups_ < count) changed_.Wait(mu_);
}

std::string JwksServer::LastRequest() const {
  MutexLock lock(mu_);
  return last_request_;
}

void JwksServer::Serve() {
  while (true) {
    const int connection = ::accept(listener_, nullptr, nullptr);
    {
      MutexLock lock(mu_);
      if (stopped_) {
        if (connection >= 0) ::close(connection);
        return;
      }
    }
    Check(connection >= 0, "accept");
    Handle(connection);
    ::close(connection);
  }
}

// False when the server is stopped first.
bool JwksServer::AwaitRelease() {
  MutexLock lock(mu_);
  while (!released_ && !stopped_) changed_.Wait(mu_);
  return released_;
}

void JwksServer::Handle(int connection) {
  const std::string request = ReadRequest(connection);
  if (request.empty()) return;
  Reply reply;
  {
    MutexLock lock(mu_);
    ++requests_;
    last_request_ = request;
    const std::string path = PathOf(request);
    ++requests_by_path_[path];
    const auto own = by_path_.find(path);
    reply = own == by_path_.end() ? reply_ : own->second;
    if (!reply.etag.empty()) {
      absl::StrAppend(&reply.headers, "ETag: ", reply.etag, "\r\n");
      if (absl::StrContains(request, absl::StrCat("If-None-Match: ", reply.etag, "\r\n"))) {
        reply.status = 304;
        reply.body.clear();
        reply.without_length = true;
        ++not_modified_;
      }
    }
  }
  changed_.NotifyAll();
  if (reply.hold && !AwaitRelease()) return;

  std::string head = absl::StrCat("HTTP/1.1 ", reply.status, " Scripted\r\n", reply.headers);
  if (!reply.without_length && !reply.endless) {
    absl::StrAppend(&head, "Content-Length: ", reply.body.size(), "\r\n");
  }
  bool there = SendAll(connection, absl::StrCat(head, "Connection: close\r\n\r\n")) &&
               SendAll(connection, reply.body.substr(0, reply.cut_after));
  while (there && reply.endless) there = SendAll(connection, reply.body);
  if (there) return;
  {
    MutexLock lock(mu_);
    ++hang_ups_;
  }
  changed_.NotifyAll();
}

}  // namespace gatehouse::keys
