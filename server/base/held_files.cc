#include "server/base/held_files.h"

#include <sys/stat.h>

namespace gatehouse {

HeldFiles& HeldFiles::Get() {
  static HeldFiles* const files = new HeldFiles;
  return *files;
}

bool HeldFiles::Add(dev_t device, ino_t inode) {
  MutexLock lock(mu_);
  return files_.insert({device, inode}).second;
}

void HeldFiles::Remove(dev_t device, ino_t inode) {
  MutexLock lock(mu_);
  files_.erase({device, inode});
}

bool HeldFiles::Has(const std::string& path) const {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0) return false;
  MutexLock lock(mu_);
  return files_.count({about.st_dev, about.st_ino}) > 0;
}

}  // namespace gatehouse
