#pragma once

#include <string>

namespace gatehouse {

// How many CPUs this process may really use, at least 1: the smaller of its
// affinity mask and its cgroup's quota (v2 `cpu.max`, v1 `cpu.cfs_quota_us`), the quota
// rounded up. `root` is the folder that has `proc` and what is mounted in it.
int UsableCpus(const std::string& root = "");

// The least of the quotas of this process's own cgroup and of those above it, as far as
// they are mounted, in CPUs; 0 if there is none.
double CpuQuota(const std::string& root = "");

// The quota that the text of a `cpu.max` file grants, in CPUs; 0 for none or for
// text that is no such file.
double CpusOfQuota(const std::string& cpu_max);

}  // namespace gatehouse
