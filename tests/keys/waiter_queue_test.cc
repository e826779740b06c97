#include "server/keys/waiter_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::keys {
namespace {

using Fetched = KeySource::Fetched;

class WaiterQueueTest : public ::testing::Test {
 protected:
  KeySource::Ticket Add(char name) {
    KeySource::Waiter evicted;
    const auto ticket = queue_.Add([this, name](Fetched) { called_ += name; }, evicted);
    if (evicted) evicted(Fetched::kFailed);
    return ticket;
  }
  std::string Answered() {
    called_.clear();
    while (const auto waiter = queue_.NextAnswered()) waiter(Fetched::kSucceeded);
    return called_;
  }

  WaiterQueue queue_{3};
  std::string called_;
};

TEST_F(WaiterQueueTest, AFetchAnswersThoseWhoCameBeforeItBeganInTheirOrder) {
  EXPECT_FALSE(queue_.AnyNew());
  Add('a');
  Add('b');
  EXPECT_TRUE(queue_.AnyNew());
  EXPECT_EQ(Answered(), "");
  queue_.Begin();
  EXPECT_FALSE(queue_.AnyNew());
  Add('c');
  EXPECT_EQ(Answered(), "ab");
  EXPECT_TRUE(queue_.AnyNew());
  queue_.Begin();
  EXPECT_EQ(Answered(), "c");
}

TEST_F(WaiterQueueTest, ThoseWhoCameUpToOneOfThemAreHandedOutAndNoLaterOnes) {
  Add('a');
  queue_.Begin();
  Add('b');
  const auto last = queue_.newest();
  Add('c');
  while (const auto waiter = queue_.NextUpTo(last)) waiter(Fetched::kLookAgain);
  EXPECT_EQ(called_, "ab");
  EXPECT_TRUE(queue_.AnyNew());
}

TEST_F(WaiterQueueTest, ANewcomerTakesThePlaceOfTheOneThatWaitedLongest) {
  Add('a');
  queue_.Begin();
  Add('b');
  Add('c');
  EXPECT_EQ(called_, "");
  Add('d');
  EXPECT_EQ(called_, "a");
  Add('e');
  EXPECT_EQ(called_, "ab");
  EXPECT_EQ(queue_.size(), 3U);
  queue_.Begin();
  EXPECT_EQ(Answered(), "cde");
}

TEST_F(WaiterQueueTest, AGivenUpPlaceIsFreeAndItsWaiterIsNotCalled) {
  Add('a');
  const auto ticket = Add('b');
  Add('c');
  EXPECT_NE(queue_.Take(ticket), nullptr);
  EXPECT_EQ(queue_.Take(ticket), nullptr);
  EXPECT_EQ(queue_.Take(KeySource::kNone), nullptr);
  Add('d');
  EXPECT_EQ(called_, "") << "there was room";
  queue_.Begin();
  EXPECT_EQ(Answered(), "acd");
}

TEST_F(WaiterQueueTest, WhenTheNewOnesHaveGivenUpNobodyWaits) {
  const auto first = Add('a');
  queue_.Begin();
  const auto second = Add('b');
  EXPECT_TRUE(queue_.AnyNew());
  queue_.Take(second);
  EXPECT_FALSE(queue_.AnyNew());
  queue_.Take(first);
  EXPECT_FALSE(queue_.AnyNew());
  EXPECT_EQ(Answered(), "");
}

}  // namespace
}  // namespace gatehouse::keys
