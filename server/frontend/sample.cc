#include "server/frontend/sample.h"

#include <cstdint>
#include <random>

namespace gatehouse::frontend {

bool Sample(int percent) {
  if (percent <= 0 || percent >= 100) return percent > 0;
  thread_local std::minstd_rand random{std::random_device()()};
  return random() % 100 < static_cast<uint64_t>(percent);
}

}  // namespace gatehouse::frontend
