#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/revocation/store.h"
#include "tests/revocation/store_testing.h"
#include "tests/revocation/temp_folder.h"
#include "tests/support/fake_clock.h"

namespace gatehouse::revocation {

// What a store's users and its listener were told.
struct Acknowledged {
  std::map<std::string, Fact> facts = {};  // by id
  // What was asked for in one transaction, each as a target or an id that is taken back.
  std::vector<std::vector<std::string>> groups = {};
  int64_t revision = 0;
  absl::Time cleaned_until = absl::InfinitePast();
  // Openings, requests, and rounds of clean-up that left something undone.
  int failed_steps = 0;
};

// Of many disasters.
struct Totals {
  int64_t runs = 0;
  int64_t faults = 0;
  int64_t lost_writes = 0;
  int64_t acknowledged = 0;
  int64_t lost = 0;
  int64_t half = 0;     // groups of which a part is there
  int64_t back = 0;     // stores whose revision or cleaned_until went back
  int64_t refused = 0;  // files that are damaged, and not opened

  friend std::ostream& operator<<(std::ostream& out, const Totals& totals);
};

// A workload on a SQLite store, and a judge of what is left of it after a disaster.
class Durability : public testing::Test {
 protected:
  void SetUp() override;
  // Of schema version 1, with facts in it.
  void StartFromVersion1();

  // The database as it was before the workload; every file is closed.
  void PutBack();
  // Opens it, appends alone and in a group, takes back, lists, cleans up, closes it, opens it
  // again, and so on. Whatever fails, it goes on.
  Acknowledged Work();
  // With a healthy disk: fails where a damaged file is opened, or a good one refused.
  void Judge(const Acknowledged& told, Totals& totals);

 private:
  class Session;

  // By SQLite alone, on a copy.
  struct Damage {
    bool is_plain = false;  // no store may open it
    bool is_seen = false;   // one may refuse it
  };
  Damage Damaged() const;
  void Compare(RevocationStore& store, const RecordingListener& listener, const Acknowledged& told,
               Totals& totals) const;

  TempFolder folder_;
  const std::string path_ = folder_.File("gatehouse.db");
  std::string created_;
  std::map<std::string, Fact> before_;
};

}  // namespace gatehouse::revocation
