#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <thread>

#include "server/base/mutex.h"

namespace gatehouse::keys {

// How the server answers a request.
struct Reply {
  int64_t status = 200;
  // Initialized so that a designated initializer may leave them out.
  // NOLINTBEGIN(readability-redundant-member-init)
  std::string body = {};
  std::string headers = {};  // more lines, each with "\r\n"
  std::string etag = {};     // with it, 304 to those who have it already
  // NOLINTEND(readability-redundant-member-init)
  bool hold = false;            // say nothing until Release()
  bool without_length = false;  // no Content-Length: the body ends with the connection
  bool endless = false;         // repeat the body until the client has enough
  size_t cut_after = SIZE_MAX;  // bytes of the body, then close
};

// An HTTP server of one connection at a time on a loopback port of the kernel's
// choice. The port is held from construction, but refuses connections until
// Start(). Thread-safe.
class JwksServer {
 public:
  explicit JwksServer(Reply reply, bool start = true);
  ~JwksServer();
  JwksServer(const JwksServer&) = delete;
  JwksServer& operator=(const JwksServer&) = delete;

  void Start();
  std::string Url(const std::string& path = "/jwks") const;
  // From the next request on; the second for one path alone.
  void SetReply(Reply reply);
  void SetReply(const std::string& path, Reply reply);
  // Answers the request that is held and all that come after it.
  void Release();

  int Requests() const;
  int RequestsFor(const std::string& path) const;
  // How many were answered with 304.
  int NotModified() const;
  // Returns when `count` requests have come in full.
  void WaitForRequests(int count) const;
  // Returns when a client has hung up on `count` answers.
  void WaitForHangUps(int count) const;
  // What the last client sent.
  std::string LastRequest() const;

 private:
  void Serve();
  void Handle(int connection);
  bool AwaitRelease();

  int listener_ = -1;
  uint16_t port_ = 0;
  std::thread thread_;

  mutable Mutex mu_;
  mutable CondVar changed_;
  Reply reply_ GH_GUARDED_BY(mu_);
  std::map<std::string, Reply> by_path_ GH_GUARDED_BY(mu_);
  std::map<std::string, int> requests_by_path_ GH_GUARDED_BY(mu_);
  int not_modified_ GH_GUARDED_BY(mu_) = 0;
  bool released_ GH_GUARDED_BY(mu_) = false;
  bool stopped_ GH_GUARDED_BY(mu_) = false;
  int requests_ GH_GUARDED_BY(mu_) = 0;
  int hang_ups_ GH_GUARDED_BY(mu_) = 0;
  std::string last_request_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse::keys
