#pragma once

#include <string>

namespace gatehouse {

// How many CPUs this process may really use, at least 1: the smaller of its
// affinity mask and its cgroup's quota (cgroup v2 `cpu.max` of its own group and
// every group above it, v1 `cpu.cfs_quota_us`), the quota rounded up.
int UsableCpus();

// The quota that the text of a `cpu.max` file grants, in CPUs; 0 for none or for
// text that is no such file.
double CpusOfQuota(const std::string& cpu_max);

}  // namespace gatehouse
