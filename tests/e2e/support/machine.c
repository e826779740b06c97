// Preloaded into a server: a machine whose clocks and disk a test can spoil. What it does
// stands in the file that GATEHOUSE_TEST_MACHINE names, and may change at any time; the
// layout is that of support/machine.py.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct machine {
  volatile int64_t wall_seconds;    // the wall clock is so much ahead
  volatile int64_t steady_seconds;  // the monotonic ones
  volatile int32_t full;            // files in the folder may be written over, not grown
  volatile int32_t error;           // an errno: no file in the folder can be written or made
  volatile int64_t failed;          // how many calls were failed
  char folder[1024];
};

static struct machine* machine;

// The kernel itself: a sanitizer's allocator asks for the time where dlsym must not be called.
static long ask_kernel(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long result __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(result)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
#else
#error "how this machine's kernel is called is to be added here"
#endif
  if (result >= 0 || result < -4095) return result;
  errno = (int)-result;
  return -1;
}

typedef int (*clockwait_t)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const struct timespec*);
static clockwait_t real_clockwait;

__attribute__((constructor)) static void start(void) {
  real_clockwait = (clockwait_t)dlsym(RTLD_NEXT, "pthread_cond_clockwait");
  const char* path = getenv("GATEHOUSE_TEST_MACHINE");
  if (path == NULL) return;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  void* at = mmap(NULL, sizeof(struct machine), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (real_clockwait == NULL || fd < 0 || at == MAP_FAILED) abort();
  close(fd);
  machine = at;
}

// ---- Clocks. ----

static int64_t ahead_of(clockid_t clock) {
  if (machine == NULL) return 0;
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
      return machine->wall_seconds;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
      return machine->steady_seconds;
    default:
      return 0;
  }
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  const long result = ask_kernel(SYS_clock_gettime, clock, (long)now, 0, 0, 0, 0);
  if (result == 0) now->tv_sec += ahead_of(clock);
  return (int)result;
}

int gettimeofday(struct timeval* now, void* zone) {
  const long result = ask_kernel(SYS_gettimeofday, (long)now, (long)zone, 0, 0, 0, 0);
  if (result == 0) now->tv_sec += ahead_of(CLOCK_REALTIME);
  return (int)result;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

// Deadlines are by the clocks as they are told; the kernel goes by its own.
int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const struct timespec* deadline) {
  struct timespec kernel = *deadline;
  kernel.tv_sec -= ahead_of(clock);
  return real_clockwait(condition, mutex, clock, &kernel);
}

long syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a[6];
  for (int i = 0; i < 6; ++i) a[i] = va_arg(list, long);
  va_end(list);
  struct timespec kernel;
  if (number == SYS_futex && (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET && a[3] != 0) {
    const int is_wall = (a[1] & FUTEX_CLOCK_REALTIME) != 0;
    kernel = *(const struct timespec*)a[3];
    kernel.tv_sec -= ahead_of(is_wall ? CLOCK_REALTIME : CLOCK_MONOTONIC);
    if (kernel.tv_sec < 0) kernel = (struct timespec){0, 0};
    a[3] = (long)&kernel;
  }
  return ask_kernel(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

// ---- The disk. ----

static int is_in_folder(const char* path) {
  const size_t length = strlen(machine->folder);
  return length > 0 && strncmp(path, machine->folder, length) == 0 && path[length] == '/';
}

static int is_of_folder(int fd) {
  char link[32];
  char path[1100];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof(path) - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return is_in_folder(path);
}

static int fail(int error) {
  __atomic_add_fetch(&machine->failed, 1, __ATOMIC_RELAXED);
  errno = error;
  return -1;
}

ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t offset) {
  if (machine != NULL && (machine->error != 0 || machine->full != 0) && is_of_folder(fd)) {
    struct stat info;
    if (machine->error != 0) return fail(machine->error);
    if (fstat(fd, &info) == 0 && offset + (off64_t)count > info.st_size) return fail(ENOSPC);
  }
  return ask_kernel(SYS_pwrite64, fd, (long)bytes, (long)count, offset, 0, 0);
}

int ftruncate64(int fd, off64_t length) {
  if (machine != NULL && machine->error != 0 && is_of_folder(fd)) return fail(machine->error);
  return (int)ask_kernel(SYS_ftruncate, fd, length, 0, 0, 0, 0);
}

int fdatasync(int fd) {
  if (machine != NULL && machine->error != 0 && is_of_folder(fd)) return fail(machine->error);
  return (int)ask_kernel(SYS_fdatasync, fd, 0, 0, 0, 0, 0);
}

static int open_it(const char* path, int flags, va_list list) {
  const int makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  const int mode = makes ? va_arg(list, int) : 0;
  const int writes = makes || (flags & O_ACCMODE) != O_RDONLY;
  if (machine != NULL && machine->error != 0 && writes && is_in_folder(path)) {
    return fail(machine->error);
  }
  return (int)ask_kernel(SYS_openat, AT_FDCWD, (long)path, flags, mode, 0, 0);
}

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const int fd = open_it(path, flags, list);
  va_end(list);
  return fd;
}

int open64(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const int fd = open_it(path, flags, list);
  va_end(list);
  return fd;
}
