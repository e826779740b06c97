#pragma once

#include <sys/types.h>

#include <cstdint>

#include "absl/status/statusor.h"

namespace gatehouse::bench {

// Reads the CPU time, user and system, that a process has used since it began:
// all of its threads, those that have ended too, to the nanosecond.
class ProcessCpu {
 public:
  // NOT_FOUND if there is no such process.
  static absl::StatusOr<ProcessCpu> Of(pid_t pid);

  // In nanoseconds; 0 once the process is gone.
  int64_t Read() const;

 private:
  explicit ProcessCpu(clockid_t clock) : clock_(clock) {}
  clockid_t clock_;
};

}  // namespace gatehouse::bench
