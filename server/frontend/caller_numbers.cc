#include "server/frontend/caller_numbers.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace gatehouse::frontend {

absl::StatusOr<std::vector<size_t>> CallerNumbers::Give(const std::vector<std::string>& names) {
  MutexLock lock(mu_);
  size_t fresh = 0;
  for (const std::string& name : names) fresh += numbers_.contains(name) ? 0 : 1;
  if (names_.size() + fresh > kCapacity) {
    return absl::ResourceExhaustedError(
        absl::StrCat("callers: with these there have been ", names_.size() + fresh,
                     " different names since the start, and ", kCapacity,
                     " are kept apart: this needs a restart"));
  }
  std::vector<size_t> out;
  out.reserve(names.size());
  for (const std::string& name : names) {
    const auto [place, is_new] = numbers_.emplace(name, names_.size());
    if (is_new) names_.push_back(name);
    out.push_back(place->second);
  }
  return out;
}

std::vector<std::string> CallerNumbers::names() const {
  MutexLock lock(mu_);
  return names_;
}

}  // namespace gatehouse::frontend
