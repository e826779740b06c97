// A store whose machine loses its power at every moment of a workload.

#include <gtest/gtest.h>

#include <iostream>

#include "tests/revocation/durability.h"
#include "tests/revocation/power_cut_vfs.h"

namespace gatehouse::revocation {
namespace {

constexpr uint32_t kSeeds = 2;

class PowerCut : public Durability {
 protected:
  // Whether the power was cut at all.
  bool Run(const PowerCutVfs::Options& options, bool synchronous_off, Totals& totals) {
    PutBack();
    Acknowledged told;
    {
      PowerCutVfs disk(options);
      if (synchronous_off) disk.TurnSynchronousOff();
      told = Work();
      // One at a start behind a crash, which no pragma asks for.
      if (synchronous_off) EXPECT_LE(disk.syncs(), 1);
      if (!disk.was_cut()) return false;
      disk.LeaveWhatIsLeft();
      ++totals.faults;
      totals.lost_writes += disk.lost_writes();
    }
    Judge(told, totals);
    return true;
  }
  Totals RunAll(bool synchronous_off) {
    Totals totals;
    int64_t n = 0;
    for (bool was_cut = true; was_cut && n < 100000; ++n) {
      for (uint32_t seed = 0; was_cut && seed < kSeeds; ++seed) {
        was_cut = Run({.operations = n, .seed = seed}, synchronous_off, totals);
      }
    }
    std::cout << "power cut after the n-th operation, n = 0.." << n - 2 << ", "
              << (synchronous_off ? "synchronous=OFF: " : "synchronous=FULL: ") << totals << "\n";
    return totals;
  }
  void ExpectNothingLost(const Totals& totals) {
    EXPECT_GT(totals.runs, 100);
    EXPECT_GT(totals.lost_writes, 100);
    EXPECT_GT(totals.acknowledged, 100);
    EXPECT_EQ(totals.lost, 0);
    EXPECT_EQ(totals.refused, 0);
    EXPECT_EQ(totals.half, 0);
    EXPECT_EQ(totals.back, 0);
  }
};

TEST_F(PowerCut, AtEveryMomentLosesNothingThatWasAcknowledged) { ExpectNothingLost(RunAll(false)); }

TEST_F(PowerCut, AtEveryMomentOfAMigrationAndAfterItLosesNothing) {
  StartFromVersion1();
  ExpectNothingLost(RunAll(false));
}

// So that the tests above are known to see a loss.

TEST_F(PowerCut, WithSynchronousOffLosesSome) { EXPECT_GT(RunAll(true).lost, 0); }

TEST_F(PowerCut, OfAMigrationWithSynchronousOffLosesSome) {
  StartFromVersion1();
  EXPECT_GT(RunAll(true).lost, 0);
}

}  // namespace
}  // namespace gatehouse::revocation
