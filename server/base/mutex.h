#pragma once

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

// Annotated wrappers over the standard mutexes, so that clang's -Wthread-safety
// checks who holds what. Not Abseil's: Debian's is not instrumented, and
// ThreadSanitizer would report races that are none.

#if defined(__clang__)
#define GH_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define GH_THREAD_ANNOTATION(x)
#endif

#define GH_CAPABILITY(x) GH_THREAD_ANNOTATION(capability(x))
#define GH_SCOPED_CAPABILITY GH_THREAD_ANNOTATION(scoped_lockable)
#define GH_GUARDED_BY(x) GH_THREAD_ANNOTATION(guarded_by(x))
#define GH_REQUIRES(...) GH_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define GH_EXCLUDES(...) GH_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define GH_ACQUIRE(...) GH_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define GH_ACQUIRE_SHARED(...) GH_THREAD_ANNOTATION(acquire_shared_capability(__VA_ARGS__))
#define GH_RELEASE(...) GH_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define GH_RELEASE_GENERIC(...) GH_THREAD_ANNOTATION(release_generic_capability(__VA_ARGS__))

namespace gatehouse {

class GH_CAPABILITY("mutex") Mutex {
 public:
  void Lock() GH_ACQUIRE() { mu_.lock(); }
  void Unlock() GH_RELEASE() { mu_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mu_;
};

class GH_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mu) GH_ACQUIRE(mu) : mu_(mu) { mu_.Lock(); }
  ~MutexLock() GH_RELEASE() { mu_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mu_;
};

// Waits are spurious: call them in a loop on the condition.
class CondVar {
 public:
  void Wait(Mutex& mu) GH_REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    cv_.wait(lock);
    lock.release();
  }

  // False when `timeout` passed first.
  bool WaitFor(Mutex& mu, std::chrono::nanoseconds timeout) GH_REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    const bool notified = cv_.wait_for(lock, timeout) == std::cv_status::no_timeout;
    lock.release();
    return notified;
  }

  void NotifyOne() { cv_.notify_one(); }
  void NotifyAll() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

// A writer that waits keeps new readers out: std::shared_mutex lets readers that
// never pause starve it. So a thread must not take it twice, not even to read.
class GH_CAPABILITY("shared_mutex") SharedMutex {
 public:
  SharedMutex() {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&lock_, &attributes);
    pthread_rwlockattr_destroy(&attributes);
  }
  ~SharedMutex() { pthread_rwlock_destroy(&lock_); }
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void Lock() GH_ACQUIRE() { pthread_rwlock_wrlock(&lock_); }
  void Unlock() GH_RELEASE() { pthread_rwlock_unlock(&lock_); }
  void LockShared() GH_ACQUIRE_SHARED() { pthread_rwlock_rdlock(&lock_); }
  void UnlockShared() GH_THREAD_ANNOTATION(release_shared_capability()) {
    pthread_rwlock_unlock(&lock_);
  }

 private:
  pthread_rwlock_t lock_;
};

class GH_SCOPED_CAPABILITY WriterLock {
 public:
  explicit WriterLock(SharedMutex& mu) GH_ACQUIRE(mu) : mu_(mu) { mu_.Lock(); }
  ~WriterLock() GH_RELEASE() { mu_.Unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  SharedMutex& mu_;
};

class GH_SCOPED_CAPABILITY ReaderLock {
 public:
  explicit ReaderLock(SharedMutex& mu) GH_ACQUIRE_SHARED(mu) : mu_(mu) { mu_.LockShared(); }
  ~ReaderLock() GH_RELEASE_GENERIC() { mu_.UnlockShared(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  SharedMutex& mu_;
};

}  // namespace gatehouse
