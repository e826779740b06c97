#pragma once

#include <functional>

#include "absl/time/time.h"

namespace gatehouse::frontend {

// The one thread of an HTTP port, for those who go on later.
class HttpLoop {
 public:
  virtual ~HttpLoop() = default;

  // Runs `work` on the thread, after what is ready. Thread-safe. When the port has ended
  // it is dropped, perhaps without having run.
  virtual void Post(std::function<void()> work) = 0;

  // The same after `delay`, or as soon as the port begins to end. On its thread alone.
  virtual void After(absl::Duration delay, std::function<void()> work) = 0;
};

}  // namespace gatehouse::frontend
