#include "server/base/cpus.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>

namespace gatehouse {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

double QuotaV2() {
  // "0::/some/group": the process's own group below the mount point.
  std::istringstream lines(ReadAll("/proc/self/cgroup"));
  std::string line;
  std::string group;
  while (std::getline(lines, line)) {
    if (line.starts_with("0::")) group = line.substr(3);
  }
  double smallest = 0;
  while (true) {
    const double quota = CpusOfQuota(ReadAll("/sys/fs/cgroup" + group + "/cpu.max"));
    if (quota > 0 && (smallest == 0 || quota < smallest)) smallest = quota;
    const size_t slash = group.rfind('/');
    if (group.empty() || slash == std::string::npos) return smallest;
    group.resize(slash);
  }
}

double QuotaV1() {
  return CpusOfQuota(ReadAll("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") + " " +
                     ReadAll("/sys/fs/cgroup/cpu/cpu.cfs_period_us"));
}

}  // namespace

double CpusOfQuota(const std::string& cpu_max) {
  std::istringstream in(cpu_max);
  double quota = 0;
  double period = 0;
  if (!(in >> quota >> period) || quota <= 0 || period <= 0) return 0;
  return quota / period;
}

int UsableCpus() {
  int cpus = 1;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cpus = std::max(1, CPU_COUNT(&set));
  double quota = QuotaV2();
  if (quota == 0) quota = QuotaV1();
  if (quota > 0) cpus = std::min(cpus, std::max(1, static_cast<int>(std::ceil(quota))));
  return cpus;
}

}  // namespace gatehouse
