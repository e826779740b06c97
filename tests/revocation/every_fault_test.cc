// A store of which the n-th write, sync, truncation, opening or deletion of a file fails, for
// every n of a workload.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <iostream>
#include <vector>

#include "tests/revocation/durability.h"
#include "tests/revocation/faulty_vfs.h"
#include "tests/revocation/power_cut_vfs.h"

namespace gatehouse::revocation {
namespace {

using After = FaultyVfs::After;
using Operation = FaultyVfs::Operation;

struct Kind {
  const char* name;
  std::vector<FaultyVfs::Fault> faults;
};

const Kind kWrites{
    "write",
    {
        {.operation = Operation::kWrite, .code = SQLITE_IOERR_WRITE},
        {.operation = Operation::kWrite, .code = SQLITE_FULL, .after = After::kTheSame},
        {.operation = Operation::kWrite, .code = SQLITE_IOERR_WRITE, .tears = true},
        {.operation = Operation::kWrite,
         .code = SQLITE_FULL,
         .tears = true,
         .after = After::kTheSame},
        {.operation = Operation::kWrite,
         .code = SQLITE_IOERR_WRITE,
         .tears = true,
         .after = After::kDead},
    }};
const Kind kSyncs{
    "sync",
    {
        {.operation = Operation::kSync, .code = SQLITE_IOERR_FSYNC},
        {.operation = Operation::kSync, .code = SQLITE_IOERR_FSYNC, .after = After::kTheSame},
        {.operation = Operation::kSync, .code = SQLITE_IOERR_FSYNC, .after = After::kDead},
    }};
const Kind kTruncations{
    "truncate",
    {
        {.operation = Operation::kTruncate, .code = SQLITE_IOERR_TRUNCATE},
        {.operation = Operation::kTruncate,
         .code = SQLITE_IOERR_TRUNCATE,
         .after = After::kTheSame},
        {.operation = Operation::kTruncate, .code = SQLITE_IOERR_TRUNCATE, .after = After::kDead},
    }};
const Kind kOpenings{
    "open",
    {
        {.operation = Operation::kOpen, .code = SQLITE_CANTOPEN},
        {.operation = Operation::kOpen, .code = SQLITE_CANTOPEN, .after = After::kTheSame},
        {.operation = Operation::kOpen, .code = SQLITE_IOERR, .after = After::kDead},
    }};
const Kind kDeletions{
    "delete",
    {
        {.operation = Operation::kDelete, .code = SQLITE_IOERR_DELETE},
        {.operation = Operation::kDelete, .code = SQLITE_IOERR_DELETE, .after = After::kTheSame},
        {.operation = Operation::kDelete, .code = SQLITE_IOERR_DELETE, .after = After::kDead},
    }};

// What comes after the workload.
enum class Ending {
  kRestart,   // of the process: all that was written is there
  kPowerCut,  // only what was synced surely is
};

class EveryFault : public Durability {
 protected:
  // Whether the workload came to the n-th.
  bool Run(const FaultyVfs::Fault& fault, Ending ending, Totals& totals) {
    PutBack();
    Acknowledged told;
    {
      PowerCutVfs cache({.seed = static_cast<uint32_t>(fault.nth)});
      FaultyVfs disk;
      if (synchronous_off_) disk.TurnSynchronousOff();
      if (ending == Ending::kPowerCut) {
        disk.OnFailedSync([&](const std::string& path) { cache.ForgetUnsynced(path); });
      }
      disk.Inject(fault);
      told = Work();
      if (disk.injected() == 0) return false;
      totals.faults += disk.injected();
      if (ending == Ending::kPowerCut) cache.LeaveWhatIsLeft();
      totals.lost_writes += cache.lost_writes();
    }
    // One fault costs one step; after it the store works again, without a restart.
    if (fault.after == After::kWell) EXPECT_LE(told.failed_steps, 1);
    Judge(told, totals);
    return true;
  }
  Totals RunAll(const Kind& kind) {
    Totals totals;
    int64_t covered = 0;
    for (const Ending ending : endings_) {
      for (FaultyVfs::Fault fault : kind.faults) {
        fault.nth = 1;
        while (!HasFailure() && Run(fault, ending, totals)) ++fault.nth;
        if (HasFailure()) {
          ADD_FAILURE() << "code " << fault.code << (fault.tears ? ", torn" : "") << ", then "
                        << static_cast<int>(fault.after) << ", n = " << fault.nth - 1
                        << (ending == Ending::kRestart ? ", restarted" : ", power cut");
          return totals;
        }
        covered = fault.nth - 1;
        EXPECT_GT(covered, 0);
      }
    }
    std::cout << "n-th " << kind.name << ", n = 1.." << covered << " in "
              << endings_.size() * kind.faults.size() << " ways"
              << (synchronous_off_ ? ", synchronous=OFF: " : ": ") << totals << "\n";
    return totals;
  }
  void ExpectNothingLost(const Kind& kind) {
    const Totals totals = RunAll(kind);
    EXPECT_EQ(totals.lost, 0);
    EXPECT_EQ(totals.refused, 0);
    EXPECT_EQ(totals.half, 0);
    EXPECT_EQ(totals.back, 0);
  }

#ifdef GATEHOUSE_SANITIZED
  // Where each takes many times as long.
  std::vector<Ending> endings_ = {Ending::kPowerCut};
#else
  std::vector<Ending> endings_ = {Ending::kRestart, Ending::kPowerCut};
#endif
  bool synchronous_off_ = false;
};

TEST_F(EveryFault, OfAWriteLosesNothingThatWasAcknowledged) { ExpectNothingLost(kWrites); }
TEST_F(EveryFault, OfASyncLosesNothingThatWasAcknowledged) { ExpectNothingLost(kSyncs); }
TEST_F(EveryFault, OfATruncationLosesNothingThatWasAcknowledged) {
  ExpectNothingLost(kTruncations);
}
TEST_F(EveryFault, OfAnOpeningLosesNothingThatWasAcknowledged) { ExpectNothingLost(kOpenings); }
TEST_F(EveryFault, OfADeletionLosesNothingThatWasAcknowledged) { ExpectNothingLost(kDeletions); }

// So that the tests above are known to see a loss. It comes with the power cut: a fault
// alone, as the end of a process, takes nothing of what was written. No sync fails: there is none.
TEST_F(EveryFault, WithSynchronousOffLosesSome) {
  synchronous_off_ = true;
  endings_ = {Ending::kPowerCut};
  for (const Kind& kind : {kWrites, kTruncations, kOpenings, kDeletions}) {
    EXPECT_GT(RunAll(kind).lost, 0) << kind.name;
  }
}

}  // namespace
}  // namespace gatehouse::revocation
