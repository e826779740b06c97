#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <utility>

#include "server/base/mutex.h"

namespace gatehouse {

// The files that this process has locked (POSIX record locks), and that nothing else in it
// may open: as soon as any descriptor of a file is closed, the process loses all of its
// locks on it. Thread-safe.
class HeldFiles {
 public:
  // Of the whole process.
  static HeldFiles& Get();

  // False if it is held already.
  bool Add(dev_t device, ino_t inode) GH_EXCLUDES(mu_);
  void Remove(dev_t device, ino_t inode) GH_EXCLUDES(mu_);
  // Whether `path` leads to one of them. Opens nothing.
  bool Has(const std::string& path) const GH_EXCLUDES(mu_);

 private:
  mutable Mutex mu_;
  std::set<std::pair<dev_t, ino_t>> files_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse
