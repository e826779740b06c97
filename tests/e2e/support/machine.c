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

__attribute__((constructor)) static void start(void) {
  const char* path = getenv("GATEHOUSE_TEST_MACHINE");
  if (path == NULL) return;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  void* at = mmap(NULL, sizeof(struct machine), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd < 0 || at == MAP_FAILED) abort();
  close(fd);
  machine = at;
}

#define REAL(name) ((__typeof__(&(name)))real(#name))
static void* real(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  if (found == NULL) abort();
  return found;
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
  const int result = REAL(clock_gettime)(clock, now);
  if (result == 0) now->tv_sec += ahead_of(clock);
  return result;
}

int gettimeofday(struct timeval* now, void* zone) {
  const int result = REAL(gettimeofday)(now, zone);
  if (result == 0) now->tv_sec += ahead_of(CLOCK_REALTIME);
  return result;
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
  return REAL(pthread_cond_clockwait)(condition, mutex, clock, &kernel);
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
  return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
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
  return REAL(pwrite64)(fd, bytes, count, offset);
}

int ftruncate64(int fd, off64_t length) {
  if (machine != NULL && machine->error != 0 && is_of_folder(fd)) return fail(machine->error);
  return REAL(ftruncate64)(fd, length);
}

int fdatasync(int fd) {
  if (machine != NULL && machine->error != 0 && is_of_folder(fd)) return fail(machine->error);
  return REAL(fdatasync)(fd);
}

static int open_it(int (*original)(const char*, int, ...), const char* path, int flags,
                   mode_t mode) {
  const int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
  if (machine != NULL && machine->error != 0 && writes && is_in_folder(path)) {
    return fail(machine->error);
  }
  return original(path, flags, mode);
}

#define MODE_OF(flags, mode)                    \
  mode_t mode = 0;                              \
  if (((flags) & (O_CREAT | O_TMPFILE)) != 0) { \
    va_list list;                               \
    va_start(list, flags);                      \
    mode = va_arg(list, mode_t);                \
    va_end(list);                               \
  }

int open(const char* path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_it(REAL(open), path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_it(REAL(open64), path, flags, mode);
}
