#include "tests/bench/process_cpu.h"

#include <ctime>

#include "absl/strings/str_cat.h"

namespace gatehouse::bench {

absl::StatusOr<ProcessCpu> ProcessCpu::Of(pid_t pid) {
  clockid_t clock;
  if (clock_getcpuclockid(pid, &clock) != 0) {
    return absl::NotFoundError(absl::StrCat("no process ", pid));
  }
  return ProcessCpu(clock);
}

int64_t ProcessCpu::Read() const {
  timespec time{};
  if (clock_gettime(clock_, &time) != 0) return 0;
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace gatehouse::bench
