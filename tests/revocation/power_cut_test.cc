// A store whose machine loses its power at every moment of a workload.

#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/revocation/sqlite_store.h"
#include "tests/revocation/power_cut_vfs.h"
#include "tests/revocation/store_testing.h"
#include "tests/revocation/temp_folder.h"
#include "tests/revocation/version1.h"
#include "tests/support/fake_clock.h"

namespace gatehouse::revocation {
namespace {

constexpr uint32_t kSeeds = 3;
constexpr int kFacts = 5;

struct Totals {
  int64_t cuts = 0;
  int64_t lost_writes = 0;
  int64_t acknowledged = 0;
  int64_t lost = 0;
  int64_t refused = 0;  // files that are not opened any more

  friend std::ostream& operator<<(std::ostream& out, const Totals& totals) {
    return out << totals.cuts << " power cuts, " << totals.lost_writes << " writes lost or torn, "
               << totals.acknowledged << " acknowledged, " << totals.lost << " lost, "
               << totals.refused << " refused to open";
  }
};

class PowerCut : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(CreateSqliteDatabase(path_).ok());
    created_ = TempFolder::ReadFile(path_);
  }

  // Of version 1, with facts in it.
  void StartFromVersion1() {
    std::filesystem::remove(path_);
    for (const Fact& fact : CreateVersion1(path_, 20)) before_[fact.id] = false;
    created_ = TempFolder::ReadFile(path_);
  }

  // Appends, takes one back, closes, opens again and appends: what was acknowledged, by its
  // id, and whether it was taken back.
  std::map<std::string, bool> Work() {
    std::map<std::string, bool> acknowledged = before_;
    for (int round = 0; round < 2; ++round) {
      RecordingListener listener;
      const auto store = OpenSqliteStore({.path = path_}, clock_, listener);
      if (!store.ok()) break;
      std::string last;
      for (int i = 0; i < kFacts; ++i) {
        const auto result = AppendAndWait(**store, SubjectFact(absl::StrCat("u", round, "-", i)));
        if (!result.ok()) continue;
        last = result->fact.id;
        acknowledged[last] = false;
      }
      if (!last.empty() && ReinstateAndWait(**store, last).ok()) acknowledged[last] = true;
    }
    return acknowledged;
  }
  // Whether the power was cut at all.
  bool Run(const PowerCutVfs::Options& options, Totals& totals) {
    for (const char* suffix : {"", "-wal", "-journal"}) std::filesystem::remove(path_ + suffix);
    TempFolder::WriteFile(path_, created_);
    std::map<std::string, bool> acknowledged;
    {
      PowerCutVfs disk(options);
      acknowledged = Work();
      if (!disk.was_cut()) return false;
      disk.LeaveWhatIsLeft();
      totals.lost_writes += disk.lost_writes();
    }
    ++totals.cuts;
    totals.acknowledged += static_cast<int64_t>(acknowledged.size());
    RecordingListener listener;
    const auto store = OpenSqliteStore({.path = path_}, clock_, listener);
    if (!store.ok()) {
      ++totals.refused;
      totals.lost += static_cast<int64_t>(acknowledged.size());
      return true;
    }
    std::map<std::string, bool> kept;
    for (const Fact& fact : AllFacts(**store)) kept[fact.id] = fact.reinstated.has_value();
    for (const auto& [id, taken_back] : acknowledged) {
      const auto found = kept.find(id);
      // One that was being taken back may be either.
      const bool is_lost = found == kept.end() || (taken_back && !found->second);
      totals.lost += is_lost ? 1 : 0;
    }
    EXPECT_TRUE(AppendAndWait(**store, SubjectFact("after")).ok());
    return true;
  }
  Totals RunAll(bool ignores_syncs) {
    Totals totals;
    for (int64_t n = 0; n < 100000; ++n) {
      for (uint32_t seed = 0; seed < kSeeds; ++seed) {
        if (!Run({.operations = n, .ignores_syncs = ignores_syncs, .seed = seed}, totals)) {
          return totals;
        }
      }
    }
    ADD_FAILURE() << "the workload does not end";
    return totals;
  }

  TempFolder folder_;
  std::string path_ = folder_.File("gatehouse.db");
  std::string created_;
  std::map<std::string, bool> before_;
  FakeClock clock_{kStart};
};

TEST_F(PowerCut, AtEveryMomentLosesNothingThatWasAcknowledged) {
  const Totals totals = RunAll(false);
  std::cout << "synchronous=FULL: " << totals << "\n";
  EXPECT_GT(totals.cuts, 100);
  EXPECT_GT(totals.lost_writes, 100);
  EXPECT_GT(totals.acknowledged, 100);
  EXPECT_EQ(totals.lost, 0);
  EXPECT_EQ(totals.refused, 0);
}

TEST_F(PowerCut, AtEveryMomentOfAMigrationAndAfterItLosesNothing) {
  StartFromVersion1();
  const Totals totals = RunAll(false);
  std::cout << "from version 1: " << totals << "\n";
  EXPECT_GT(totals.cuts, 100);
  EXPECT_GT(totals.lost_writes, 100);
  EXPECT_EQ(totals.lost, 0);
  EXPECT_EQ(totals.refused, 0);
}

// So that the tests above are known to see a loss.
TEST_F(PowerCut, OfADiskThatIsNotSyncedLosesSome) {
  const Totals totals = RunAll(true);
  std::cout << "as with synchronous=OFF: " << totals << "\n";
  EXPECT_GT(totals.lost, 0);
}

}  // namespace
}  // namespace gatehouse::revocation
