#include "server/base/cpus.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace gatehouse {
namespace {

TEST(CpusOfQuota, IsTheQuotaOverThePeriod) {
  EXPECT_DOUBLE_EQ(CpusOfQuota("200000 100000\n"), 2);
  EXPECT_DOUBLE_EQ(CpusOfQuota("50000 100000"), 0.5);
  EXPECT_DOUBLE_EQ(CpusOfQuota("150000\n100000\n"), 1.5);
}

TEST(CpusOfQuota, IsZeroForNoLimit) {
  EXPECT_EQ(CpusOfQuota("max 100000\n"), 0);
  EXPECT_EQ(CpusOfQuota("-1 100000"), 0);
}

TEST(CpusOfQuota, IsZeroForWhatIsNoQuota) {
  for (const char* text : {"", " ", "\n", "100000", "x y", "100000 0", "100000 -1", "0 100000"}) {
    EXPECT_EQ(CpusOfQuota(text), 0) << text;
  }
}

TEST(UsableCpus, IsAtLeastOneAndNoMoreThanTheAffinityMaskAllows) {
  cpu_set_t all;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  EXPECT_GE(UsableCpus(), 1);
  EXPECT_LE(UsableCpus(), CPU_COUNT(&all));
}

TEST(UsableCpus, IsOneForAThreadBoundToOneCpu) {
  int usable = 0;
  std::thread bound([&] {
    cpu_set_t all;
    sched_getaffinity(0, sizeof(all), &all);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
      if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
    }
    if (sched_setaffinity(0, sizeof(one), &one) == 0) usable = UsableCpus();
  });
  bound.join();
  EXPECT_EQ(usable, 1);
}

int AllowedCpus() {
  cpu_set_t all;
  return sched_getaffinity(0, sizeof(all), &all) == 0 ? CPU_COUNT(&all) : 0;
}

// A machine's files, as the kernel writes them.
class CpuQuotaTest : public ::testing::Test {
 protected:
  CpuQuotaTest() {
    std::string name =
        (std::filesystem::temp_directory_path() / "gatehouse-cpus-test-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  ~CpuQuotaTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  void V2(const std::string& group, const std::string& mounted = "/") const {
    Write("/proc/self/cgroup", "0::" + group + "\n");
    Write("/proc/self/mountinfo",
          "23 1 8:1 / / rw - ext4 /dev/sda rw\n"
          "31 23 0:28 " +
              mounted + " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
  }

  void V1(const std::string& group, const std::string& mounted = "/") const {
    Write("/proc/self/cgroup", "4:memory:/elsewhere\n2:cpu,cpuacct:" + group + "\n0::/\n");
    Write("/proc/self/mountinfo",
          "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
          "32 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
          "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
          "34 31 0:31 " +
              mounted + " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
  }

  void WriteV1(const std::string& group, const std::string& quota) const {
    Write("/sys/fs/cgroup/cpu,cpuacct" + group + "/cpu.cfs_quota_us", quota + "\n");
    Write("/sys/fs/cgroup/cpu,cpuacct" + group + "/cpu.cfs_period_us", "100000\n");
  }

  std::string root_;
};

TEST_F(CpuQuotaTest, IsNoneWithoutCgroups) {
  EXPECT_EQ(CpuQuota(root_), 0);
  EXPECT_EQ(UsableCpus(root_), AllowedCpus());
  Write("/proc/self/mountinfo", "garbage\n1 2 - \n\n - cgroup2 x\n");
  Write("/proc/self/cgroup", "garbage\n:\n0:\n");
  EXPECT_EQ(CpuQuota(root_), 0);
}

TEST_F(CpuQuotaTest, IsThatOfTheContainersOwnGroup) {
  V2("/");
  Write("/sys/fs/cgroup/cpu.max", "150000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 1.5);
}

TEST_F(CpuQuotaTest, IsTheLeastOfTheGroupAndAllAboveItUpToTheMount) {
  V2("/pod.slice/box");
  Write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  Write("/sys/fs/cgroup/pod.slice/box/cpu.max", "300000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 3);
  Write("/sys/fs/cgroup/pod.slice/cpu.max", "200000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 2);
  Write("/sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 1);
  Write("/sys/fs/cgroup/pod.slice/box/cpu.max", "50000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 0.5);
  // Above the mount, and beside the group.
  Write("/sys/fs/cpu.max", "1000 100000\n");
  Write("/sys/fs/cgroup/pod.slice/other/cpu.max", "1000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 0.5);
}

TEST_F(CpuQuotaTest, IsFoundWhereAPartOfTheGroupsIsMounted) {
  V2("/docker/abc/inner", "/docker/abc");
  Write("/sys/fs/cgroup/inner/cpu.max", "300000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 3);
  Write("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 2);
  V2("/docker/abc", "/docker/abc");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 2);
  // Not to be found below it: the topmost counts.
  V2("/somewhere/else", "/docker/abc");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 2);
}

TEST_F(CpuQuotaTest, IsFoundByAnEscapedName) {
  V2("/a b/c", "/a\\040b");
  Write("/sys/fs/cgroup/c/cpu.max", "300000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 3);
}

TEST_F(CpuQuotaTest, IsReadOfVersion1Too) {
  V1("/docker/abc");
  WriteV1("", "-1");
  EXPECT_EQ(CpuQuota(root_), 0);
  WriteV1("/docker/abc", "250000");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 2.5);
  WriteV1("/docker", "150000");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 1.5);
  V1("/docker/abc", "/docker/abc");
  WriteV1("", "50000");
  EXPECT_DOUBLE_EQ(CpuQuota(root_), 0.5);
}

TEST_F(CpuQuotaTest, IsRoundedUpAndCannotExceedTheAffinityMask) {
  V2("/");
  const auto cpus_of = [&](const std::string& quota) {
    Write("/sys/fs/cgroup/cpu.max", quota + " 100000\n");
    return UsableCpus(root_);
  };
  const int allowed = AllowedCpus();
  EXPECT_EQ(cpus_of("1000"), 1);
  EXPECT_EQ(cpus_of("100000"), 1);
  EXPECT_EQ(cpus_of("100001"), std::min(2, allowed));
  EXPECT_EQ(cpus_of("200000"), std::min(2, allowed));
  EXPECT_EQ(cpus_of("100000000"), allowed);
  EXPECT_EQ(cpus_of("99999999999999999999"), allowed);
  EXPECT_EQ(cpus_of("max"), allowed);
}

}  // namespace
}  // namespace gatehouse
