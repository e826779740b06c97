#include "server/frontend/accept_guard.h"

#include <fcntl.h>
#include <grpc/support/time.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "server/base/log.h"
#include "server/base/mutex.h"

namespace gatehouse::frontend {
namespace {

int SystemAccept(int listener, sockaddr* address, socklen_t* length, int flags) {
  return static_cast<int>(syscall(SYS_accept4, listener, address, length, flags));
}

// A file in the hand, to be let go where one is needed and none can be had.
class Spare {
 public:
  static Spare& Get() {
    static Spare* const spare = new Spare;
    return *spare;
  }

  void Take() GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    Open();
  }

  // Ends the first connection that waits. False if none was taken in.
  bool SendOneAway(int listener) GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    const int newcomer = SystemAccept(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (newcomer >= 0) close(newcomer);
    Open();
    if (newcomer < 0) return false;
    Tell();
    return true;
  }

 private:
  void Open() GH_REQUIRES(mu_) {
    if (fd_ < 0) fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
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
  int fd_ GH_GUARDED_BY(mu_) = -1;
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
      errno = Spare::Get().SendOneAway(listener) ? EINTR : EAGAIN;
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

void GuardAccepts() { Spare::Get().Take(); }

}  // namespace gatehouse::frontend

extern "C" int accept4(int listener, sockaddr* address, socklen_t* length, int flags) {
  return gatehouse::frontend::Accept(listener, address, length, flags);
}
