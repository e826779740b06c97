#include "server/base/cpus.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace gatehouse {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// A place where cgroups are found: the group `group` is the folder `folder`.
struct Mount {
  bool v2 = false;
  std::string group;
  std::string folder;
};

// In the kernel's list of mounts "\040" is a space.
std::string Unescape(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](size_t at) { return text[i + at] - '0'; };
    const bool escape = text[i] == '\\' && i + 3 < text.size() && digit(1) >= 0 && digit(1) < 4 &&
                        digit(2) >= 0 && digit(2) < 8 && digit(3) >= 0 && digit(3) < 8;
    out += escape ? static_cast<char>(digit(1) * 64 + digit(2) * 8 + digit(3)) : text[i];
    if (escape) i += 3;
  }
  return out;
}

// Those that may hold a quota of the CPU.
std::vector<Mount> Mounts(const std::string& root) {
  std::vector<Mount> mounts;
  for (const absl::string_view line :
       absl::StrSplit(ReadAll(root + "/proc/self/mountinfo"), '\n')) {
    // "32 31 0:29 /group /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct"
    const std::pair<absl::string_view, absl::string_view> halves =
        absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    const std::vector<absl::string_view> place = absl::StrSplit(halves.first, ' ');
    const std::vector<absl::string_view> kind = absl::StrSplit(halves.second, ' ');
    if (place.size() < 6 || kind.size() < 3) continue;
    const std::vector<absl::string_view> options = absl::StrSplit(kind[2], ',');
    const bool v2 = kind[0] == "cgroup2";
    const bool v1 =
        kind[0] == "cgroup" && std::find(options.begin(), options.end(), "cpu") != options.end();
    if (!v1 && !v2) continue;
    mounts.push_back({.v2 = v2, .group = Unescape(place[3]), .folder = Unescape(place[4])});
  }
  return mounts;
}

// The process's own group of the CPU, "/some/group"; empty if there is none.
std::string OwnGroup(const std::string& root, bool v2) {
  for (const absl::string_view line : absl::StrSplit(ReadAll(root + "/proc/self/cgroup"), '\n')) {
    // "0::/some/group", or "1:cpu,cpuacct:/some/group".
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() < 3) continue;
    const std::vector<absl::string_view> controllers = absl::StrSplit(parts[1], ',');
    const bool of_cpu =
        std::find(controllers.begin(), controllers.end(), "cpu") != controllers.end();
    if (v2 ? parts[0] == "0" && parts[1].empty() : of_cpu) return std::string(parts[2]);
  }
  return "";
}

double QuotaOf(const std::string& folder, bool v2) {
  if (v2) return CpusOfQuota(ReadAll(folder + "/cpu.max"));
  return CpusOfQuota(absl::StrCat(ReadAll(folder + "/cpu.cfs_quota_us"), " ",
                                  ReadAll(folder + "/cpu.cfs_period_us")));
}

// Below the mount; a group that is not to be found there is taken for the topmost.
std::string WithinMount(const Mount& mount, const std::string& group) {
  absl::string_view rest = group;
  if (mount.group != "/" && !absl::ConsumePrefix(&rest, mount.group)) return "";
  return absl::StartsWith(rest, "/") && rest.size() > 1 ? std::string(rest) : "";
}

}  // namespace

double CpusOfQuota(const std::string& cpu_max) {
  std::istringstream in(cpu_max);
  double quota = 0;
  double period = 0;
  if (!(in >> quota >> period) || quota <= 0 || period <= 0) return 0;
  return quota / period;
}

double CpuQuota(const std::string& root) {
  double least = 0;
  for (const Mount& mount : Mounts(root)) {
    std::string below = WithinMount(mount, OwnGroup(root, mount.v2));
    while (true) {
      const double quota = QuotaOf(absl::StrCat(root, mount.folder, below), mount.v2);
      if (quota > 0 && (least == 0 || quota < least)) least = quota;
      if (below.empty()) break;
      below.resize(below.rfind('/'));
    }
  }
  return least;
}

int UsableCpus(const std::string& root) {
  int cpus = 1;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cpus = std::max(1, CPU_COUNT(&set));
  const double quota = CpuQuota(root);
  if (quota > 0 && quota < cpus) cpus = std::max(1, static_cast<int>(std::ceil(quota)));
  return cpus;
}

}  // namespace gatehouse
