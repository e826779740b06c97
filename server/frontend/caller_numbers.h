#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "server/base/mutex.h"

namespace gatehouse::frontend {

// The numbers of callers, by name: what is counted for each caller is kept under its
// number. A name that was once given one keeps it until the end, whatever callers come
// and go. Thread-safe.
class CallerNumbers {
 public:
  // Names since the start. Numbers are below it.
  static constexpr size_t kCapacity = 1024;

  // A number for each of `names`, which are different. RESOURCE_EXHAUSTED, and none is
  // given, if there would be more than kCapacity.
  absl::StatusOr<std::vector<size_t>> Give(const std::vector<std::string>& names) GH_EXCLUDES(mu_);

  // All names so far, by number.
  std::vector<std::string> names() const GH_EXCLUDES(mu_);

 private:
  mutable Mutex mu_;
  std::vector<std::string> names_ GH_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, size_t> numbers_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse::frontend
