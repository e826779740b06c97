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
  return rounds == nullptr ? 3 : static_cast<int>(std::strtol(rounds, nullptr, 10));
}

// Killing a process does not test syncing: the kernel still has what was written.
TEST(Kill, WhatWasAcknowledgedToAnyOf64RevokersIsThereAfterKillingThem) {
  TempFolder folder;
  const std::string path = folder.File("gatehouse.db");
  ASSERT_TRUE(CreateSqliteDatabase(path).ok());
  std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<size_t> moment(100, 5000);

  std::set<std::string> acknowledged;
  std::string store_id;
  size_t lost = 0;
  int round = 0;
  for (; round < Rounds(); ++round) {
    Child revokers({GATEHOUSE_REVOKER, path, "64"});
    std::string line;
    ASSERT_TRUE(revokers.ReadLine(line));
    ASSERT_EQ(line.substr(0, 5), "open ") << line;
    if (round == 0) store_id = line.substr(5);
    EXPECT_EQ(line.substr(5), store_id);
    const size_t kill_at = moment(random);
    for (size_t seen = 0; revokers.ReadLine(line);) {
      ASSERT_TRUE(acknowledged.insert(line).second) << "twice: " << line;
      if (++seen == kill_at) revokers.Kill();
    }
    ASSERT_EQ(revokers.Wait(), -1) << "it ended by itself";

    FakeClock clock(kStart);
    RecordingListener listener;
    const auto store = OpenSqliteStore({.path = path}, clock, listener);
    ASSERT_TRUE(store.ok()) << store.status();
    std::set<std::string> kept;
    for (const Fact& fact : AllFacts(**store)) kept.insert(fact.id);
    for (const std::string& id : acknowledged) lost += kept.contains(id) ? 0 : 1;
    EXPECT_EQ(static_cast<size_t>(listener.revision()), kept.size());
    EXPECT_EQ(listener.tags(), kept.size());
  }
  std::cout << "kill -9: " << round << " rounds, " << acknowledged.size() << " acknowledged, "
            << lost << " lost\n";
  EXPECT_GT(round, 0);
  EXPECT_EQ(lost, 0);
}

}  // namespace
}  // namespace gatehouse::revocation
