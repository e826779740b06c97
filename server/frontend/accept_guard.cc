#include "server/frontend/accept_guard.h"

#include <grpc/support/time.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "server/base/log.h"
#include "server/base/mutex.h"

namespace gatehouse::frontend {
namespace {

int SystemAccept(int listener, sockaddr* address, socklen_t* length, int flags) {
  return static_cast<int>(syscall(SYS_accept4, listener, address, length, flags));
}

// Files in the hand, to be let go one by one where one is needed and none can be had. More than
// one: another thread may snatch away what was let go, and without any a connection that waits
// would be looked at only when the next one comes.
class Spares {
 public:
  static Spares& Get() {
    static Spares* const spares = new Spares;
    return *spares;
  }

  void Take() GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    Open();
  }

  // Ends the first connection that waits. False if none was taken in.
  bool SendOneAway(int listener) GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    for (int& fd : fds_) {
      if (fd >= 0) close(std::exchange(fd, -1));
      const int newcomer = SystemAccept(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (newcomer < 0) continue;
      close(newcomer);
      Open();
      Tell();
      return true;
    }
    Open();
    return false;
  }

 private:
  void Open() GH_REQUIRES(mu_) {
    for (int& fd : fds_) {
      if (fd < 0) fd = eventfd(0, EFD_CLOEXEC);
    }
  }

  void Tell() GH_REQUIRES(mu_) {
    constexpr int64_t kSecondsBetween = 10;
    ++sent_away_;
    const int64_t now = gpr_now(GPR_CLOCK_MONOTONIC).tv_sec;
    if (told_ && now - told_at_ < kSecondsBetween) return;
    told_ = true;
    told_at_ = now;
    log::Error("connections are sent away: no more files can be opened, and each is one",
               {{"sent_away", sent_away_}});
  }

  Mutex mu_;
  std::array<int, 4> fds_ GH_GUARDED_BY(mu_) = {-1, -1, -1, -1};
  int64_t sent_away_ GH_GUARDED_BY(mu_) = 0;
  bool told_ GH_GUARDED_BY(mu_) = false;
  int64_t told_at_ GH_GUARDED_BY(mu_) = 0;
};

// What gRPC takes for the end of the port, and is not.
int Accept(int listener, sockaddr* address, socklen_t* length, int flags) {
  const int accepted = SystemAccept(listener, address, length, flags);
  if (accepted >= 0) return accepted;
  switch (errno) {
    case EMFILE:
    case ENFILE:
      // With EINTR it comes again at once, and with EAGAIN when somebody else connects.
      errno = Spares::Get().SendOneAway(listener) ? EINTR : EAGAIN;
      return -1;
    case ENOBUFS:
    case ENOMEM:
      errno = EAGAIN;
      return -1;
    case ECONNABORTED:
      errno = EINTR;
      return -1;
    default:
      return -1;
  }
}

}  // namespace

void GuardAccepts() { Spares::Get().Take(); }

}  // namespace gatehouse::frontend

extern "C" int accept4(int listener, sockaddr* address, socklen_t* length, int flags) {
  return gatehouse::frontend::Accept(listener, address, length, flags);
}
