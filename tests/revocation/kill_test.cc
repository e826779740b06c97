#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <set>
#include <string>

#include "server/revocation/sqlite_store.h"
#include "tests/revocation/child.h"
#include "tests/revocation/store_testing.h"
#include "tests/revocation/temp_folder.h"
#include "tests/support/fake_clock.h"

namespace gatehouse::revocation {
namespace {

int Rounds() {
  const char* rounds = std::getenv("GATEHOUSE_KILL_ROUNDS");  // NOLINT(concurrency-mt-unsafe)
  return rounds == nullptr ? 10 : static_cast<int>(std::strtol(rounds, nullptr, 10));
}

// Those from a revision on.
std::set<std::string> IdsFrom(RevocationStore& store, int64_t revision) {
  std::set<std::string> ids;
  ListQuery query{.limit = 1000, .with_past = true};
  while (true) {
    const absl::StatusOr<ListResult> page = ListAndWait(store, query);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return ids;
    for (const Fact& fact : page->facts) {
      if (fact.revision < revision) return ids;
      ids.insert(fact.id);
    }
    if (!page->more) return ids;
    query.before_revision = page->facts.back().revision;
  }
}

size_t Missing(const std::set<std::string>& ids, const std::set<std::string>& kept) {
  size_t missing = 0;
  for (const std::string& id : ids) missing += kept.contains(id) ? 0 : 1;
  return missing;
}

class Kill : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(CreateSqliteDatabase(path_).ok()); }

  // What 64 revokers were told before they were killed.
  void RevokeAndKill(std::set<std::string>& acknowledged) {
    Child revokers({GATEHOUSE_REVOKER, path_, "64"});
    std::string line;
    ASSERT_TRUE(revokers.ReadLine(line));
    ASSERT_EQ(line.substr(0, 5), "open ") << line;
    if (store_id_.empty()) store_id_ = line.substr(5);
    EXPECT_EQ(line.substr(5), store_id_);
    const size_t kill_at = moment_(random_);
    for (size_t seen = 0; revokers.ReadLine(line);) {
      ASSERT_TRUE(acknowledged.insert(line).second) << "twice: " << line;
      if (++seen == kill_at) revokers.Kill();
    }
    ASSERT_EQ(revokers.Wait(), -1) << "it ended by itself";
  }
  // Of these, by a look at what is newer than `revision`, which moves on.
  size_t Lost(const std::set<std::string>& acknowledged, int64_t& revision) {
    FakeClock clock(kStart);
    RecordingListener listener;
    const auto store = OpenSqliteStore({.path = path_}, clock, listener);
    EXPECT_TRUE(store.ok()) << store.status();
    if (!store.ok()) return acknowledged.size();
    const std::set<std::string> kept = IdsFrom(**store, revision + 1);
    // None is used twice or left out, and all of them are in force.
    EXPECT_EQ(static_cast<size_t>(listener.revision() - revision), kept.size());
    EXPECT_EQ(listener.tags(), static_cast<size_t>(listener.revision()));
    revision = listener.revision();
    return Missing(acknowledged, kept);
  }

  TempFolder folder_;
  const std::string path_ = folder_.File("gatehouse.db");
  std::string store_id_;
  std::mt19937 random_{std::random_device{}()};
  std::uniform_int_distribution<size_t> moment_{1, 2500};
};

// The kernel has all that a killed process wrote: whether it was synced is another question,
// which power_cut_test.cc asks. With synchronous=OFF this would lose nothing.
TEST_F(Kill, WhatWasAcknowledgedToAnyOf64RevokersIsThereAfterKillingThem) {
  const int rounds = Rounds();
  ASSERT_GT(rounds, 0);
  std::set<std::string> all;
  size_t lost = 0;
  int64_t revision = 0;
  for (int round = 1; round <= rounds; ++round) {
    std::set<std::string> acknowledged;
    ASSERT_NO_FATAL_FAILURE(RevokeAndKill(acknowledged));
    lost += Lost(acknowledged, revision);
    all.merge(acknowledged);
    EXPECT_TRUE(acknowledged.empty()) << "told of again: " << *acknowledged.begin();
    if (round % 10 != 0 && round != rounds) continue;
    std::cout << "kill -9: " << round << " of " << rounds << " rounds, " << all.size()
              << " acknowledged, " << lost << " lost" << std::endl;
  }
  // Those of the first round have seen all that came after.
  int64_t from_the_first = 0;
  const size_t lost_at_the_end = Lost(all, from_the_first);
  std::cout << "kill -9, in all: " << all.size() << " acknowledged, " << lost_at_the_end
            << " lost\n";
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(lost_at_the_end, 0);
}

}  // namespace
}  // namespace gatehouse::revocation
