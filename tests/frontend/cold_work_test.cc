#include "server/frontend/cold_work.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <vector>

namespace gatehouse::frontend {
namespace {

using ::testing::ElementsAre;
using Lane = ColdWork::Lane;

class ColdWorkTest : public ::testing::Test {
 protected:
  // A new item of `caller`; false if it, or another, is refused for it.
  bool Push(ColdWork& work, size_t caller, Lane lane = Lane::kQuestions) {
    items_.emplace_back();
    owners_.push_back(caller);
    refused_ = work.Push(lane, caller, items_.back());
    return refused_ == nullptr;
  }
  size_t IndexOf(const ColdItem* item) const {
    for (size_t i = 0; i < items_.size(); ++i) {
      if (&items_[i] == item) return i;
    }
    return items_.size();
  }
  size_t OwnerOf(const ColdItem* item) const { return owners_[IndexOf(item)]; }
  std::vector<size_t> Order(ColdWork& work) const {
    std::vector<size_t> order;
    while (const ColdItem* item = work.Pop()) order.push_back(IndexOf(item));
    return order;
  }

  std::deque<ColdItem> items_;
  std::vector<size_t> owners_;
  ColdItem* refused_ = nullptr;
};

TEST_F(ColdWorkTest, NothingComesOfNothing) {
  ColdWork work;
  EXPECT_TRUE(work.empty());
  EXPECT_EQ(work.Pop(), nullptr);
}

TEST_F(ColdWorkTest, OneCallersAreTakenInTheirOrder) {
  ColdWork work;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Push(work, 0));
  EXPECT_EQ(work.size(), 3U);
  EXPECT_THAT(Order(work), ElementsAre(0, 1, 2));
  EXPECT_TRUE(work.empty());
}

TEST_F(ColdWorkTest, CallersTakeTurnsHoweverManyOneHas) {
  ColdWork work;
  for (int i = 0; i < 4; ++i) Push(work, 0);  // 0 to 3
  Push(work, 1);                              // 4
  Push(work, 2);                              // 5
  Push(work, 2);                              // 6
  EXPECT_THAT(Order(work), ElementsAre(0, 4, 5, 1, 6, 2, 3));
}

TEST_F(ColdWorkTest, OneThatComesBackStandsBehindThoseWhoWait) {
  ColdWork work;
  Push(work, 0);
  Push(work, 1);
  EXPECT_EQ(IndexOf(work.Pop()), 0U);
  Push(work, 0);
  EXPECT_THAT(Order(work), ElementsAre(1, 2));
}

TEST_F(ColdWorkTest, ACallerHasItsShareAndNoMore) {
  ColdWork work({.per_caller = 3, .in_all = 100});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Push(work, 0));
  EXPECT_FALSE(Push(work, 0));
  EXPECT_EQ(IndexOf(refused_), 3U) << "the one that came is refused";
  EXPECT_TRUE(Push(work, 1)) << "another has a share of its own";
  EXPECT_EQ(work.size(), 4U);
  work.Pop();
  EXPECT_TRUE(Push(work, 0)) << "a place came free";
}

TEST_F(ColdWorkTest, WhereTheWholeIsFullTheNewestOfWhoHasMostIsRefused) {
  ColdWork work({.per_caller = 4, .in_all = 5});
  for (int i = 0; i < 4; ++i) Push(work, 0);  // 0 to 3
  Push(work, 1);                              // 4
  EXPECT_FALSE(Push(work, 2));                // 5
  EXPECT_EQ(IndexOf(refused_), 3U);
  EXPECT_EQ(work.size(), 5U);
  EXPECT_THAT(Order(work), ElementsAre(0, 4, 5, 1, 2));
}

TEST_F(ColdWorkTest, WhoHasMostItselfIsRefusedItsOwn) {
  ColdWork work({.per_caller = 4, .in_all = 4});
  Push(work, 1);
  for (int i = 0; i < 3; ++i) Push(work, 0);
  EXPECT_FALSE(Push(work, 0));
  EXPECT_EQ(IndexOf(refused_), 4U);
}

TEST_F(ColdWorkTest, WithAsManyCallersAsPlacesEachKeepsTheOneItHas) {
  ColdWork work({.per_caller = 4, .in_all = 4});
  for (size_t caller = 0; caller < 4; ++caller) Push(work, caller);
  EXPECT_FALSE(Push(work, 4));
  EXPECT_EQ(work.size(), 4U);
  // Nobody loses a turn to one that is gone.
  EXPECT_EQ(Order(work).size(), 4U);
  EXPECT_TRUE(work.empty());
}

TEST_F(ColdWorkTest, RevocationsHaveALaneThatQuestionsDoNotFill) {
  ColdWork work({.per_caller = 2, .in_all = 2});
  for (int i = 0; i < 5; ++i) Push(work, 0);
  EXPECT_TRUE(Push(work, 0, Lane::kRevocations));
  EXPECT_TRUE(Push(work, 1, Lane::kRevocations));
  EXPECT_FALSE(Push(work, 0, Lane::kRevocations)) << "which is bounded too";
}

TEST_F(ColdWorkTest, LargeQuestionsHaveALaneOfAQuarter) {
  ColdWork work({.per_caller = 8, .in_all = 12});
  for (int i = 0; i < 20; ++i) Push(work, 0);
  EXPECT_TRUE(Push(work, 0, Lane::kLargeQuestions));
  EXPECT_TRUE(Push(work, 0, Lane::kLargeQuestions));
  EXPECT_FALSE(Push(work, 0, Lane::kLargeQuestions)) << "its share";
  EXPECT_TRUE(Push(work, 1, Lane::kLargeQuestions));
  EXPECT_FALSE(Push(work, 2, Lane::kLargeQuestions)) << "for which another goes";
  EXPECT_EQ(OwnerOf(refused_), 0U);
}

TEST_F(ColdWorkTest, LanesTakeTurns) {
  ColdWork work;
  for (int i = 0; i < 3; ++i) Push(work, 0);                      // 0 to 2
  for (int i = 0; i < 3; ++i) Push(work, 0, Lane::kRevocations);  // 3 to 5
  EXPECT_THAT(Order(work), ElementsAre(0, 3, 1, 4, 2, 5));
}

TEST_F(ColdWorkTest, WhatHasWaitedIsTakenInBeyondTheBounds) {
  ColdWork work({.per_caller = 1, .in_all = 1});
  Push(work, 0);
  ColdItem waited;
  work.PushAgain(Lane::kQuestions, 0, waited);
  EXPECT_EQ(work.size(), 2U);
}

TEST_F(ColdWorkTest, WhatHasWaitedTakesNoPlaceOfWhatIsNew) {
  ColdWork work({.per_caller = 1, .in_all = 1});
  std::deque<ColdItem> waited(3);
  for (ColdItem& one : waited) work.PushAgain(Lane::kQuestions, 0, one);
  ColdItem item;
  EXPECT_EQ(work.Push(Lane::kQuestions, 0, item), nullptr);
  EXPECT_EQ(work.Pop(), &item);
}

TEST_F(ColdWorkTest, UnderAFloodAnotherIsTakenAtTheNextTurnButOne) {
  ColdWork work;
  for (int round = 0; round < 1000; ++round) {
    while (Push(work, 0)) {
    }
    Push(work, 1);
    const size_t first = OwnerOf(work.Pop());
    EXPECT_TRUE(first == 1 || OwnerOf(work.Pop()) == 1) << round;
  }
}

TEST_F(ColdWorkTest, ChecksHaveALaneThatQuestionsDoNotFill) {
  ColdWork work({.per_caller = 2, .in_all = 2});
  for (int i = 0; i < 5; ++i) Push(work, 0);
  EXPECT_TRUE(Push(work, 0, Lane::kChecks));
  EXPECT_TRUE(Push(work, 1, Lane::kChecks));
  EXPECT_FALSE(Push(work, 0, Lane::kChecks)) << "which is bounded too";
}

TEST_F(ColdWorkTest, WhatIsOverdueIsGivenUpInTheOrderOfTimeWhoeverStandsBeforeIt) {
  ColdWork work;
  std::deque<ColdItem> items(4);
  work.Push(Lane::kChecks, 0, items[0], 300);
  work.Push(Lane::kChecks, 0, items[1], 100);
  work.Push(Lane::kChecks, 1, items[2], 200);
  work.PushAgain(Lane::kChecks, 0, items[3], 150);
  EXPECT_EQ(work.PopOverdue(99), nullptr);
  EXPECT_EQ(work.PopOverdue(100), &items[1]);
  EXPECT_EQ(work.PopOverdue(100), nullptr);
  EXPECT_EQ(work.PopOverdue(1000), &items[3]);
  EXPECT_EQ(work.PopOverdue(1000), &items[2]);
  EXPECT_EQ(work.size(), 1U);
  EXPECT_EQ(work.Pop(), &items[0]) << "the others keep their turns";
  EXPECT_EQ(work.PopOverdue(1000), nullptr);
  EXPECT_FALSE(work.has_hurried());
  EXPECT_TRUE(work.empty());
}

TEST_F(ColdWorkTest, WhatIsRefusedOrHasNoTimeIsNeverOverdue) {
  ColdWork work({.per_caller = 2, .in_all = 2});
  std::deque<ColdItem> items(4);
  work.Push(Lane::kChecks, 0, items[0], 1);
  work.Push(Lane::kChecks, 0, items[1], 1);
  EXPECT_EQ(work.Push(Lane::kChecks, 0, items[2], 1), &items[2]) << "its share";
  EXPECT_EQ(work.Push(Lane::kChecks, 1, items[3]), &items[1]);
  EXPECT_EQ(work.PopOverdue(ColdWork::kNever - 1), &items[0]);
  EXPECT_EQ(work.PopOverdue(ColdWork::kNever - 1), nullptr);
  EXPECT_EQ(work.Pop(), &items[3]);
}

TEST(ColdTurnsTest, AnIdleThreadDoesColdWorkAtOnce) {
  ColdTurns turns;
  EXPECT_TRUE(turns.IsDue(false));
  EXPECT_TRUE(turns.IsDue(false));
}

TEST(ColdTurnsTest, ABusyThreadDoesOneAfterSixteenEvents) {
  ColdTurns turns;
  int done = 0;
  for (int event = 1; event <= 160; ++event) {
    done += turns.IsDue(true) ? 1 : 0;
    EXPECT_EQ(done, event / ColdTurns::kHotEvents);
  }
}

}  // namespace
}  // namespace gatehouse::frontend
