#include "server/base/cpus.h"

#include <gtest/gtest.h>
#include <sched.h>

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

}  // namespace
}  // namespace gatehouse
