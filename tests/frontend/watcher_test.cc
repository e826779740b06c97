#include "server/frontend/watcher.h"

#include <gtest/gtest.h>

#include <vector>

namespace gatehouse::frontend {
namespace {

using revocation::ChangeFeed;
using Turn = Watcher::Turn;
using After = Watcher::After;

constexpr int64_t kStart = 1000 * Watcher::kSecond;

ChangeFeed::Batch UpTo(int64_t revision, bool complete = true) {
  ChangeFeed::Batch batch;
  batch.next.revision = revision;
  batch.complete = complete;
  return batch;
}

class WatcherTest : public ::testing::Test {
 protected:
  Turn Next() { return watcher_.Next(now_, news_); }
  Watcher::Message Send(const ChangeFeed::Batch& batch) {
    return watcher_.Send(now_, news_, batch);
  }
  // Told all there is, and taken.
  void CatchUp(int64_t revision) {
    EXPECT_EQ(Next(), Turn::kSend);
    EXPECT_EQ(Send(UpTo(revision)).revision, revision);
    EXPECT_EQ(watcher_.Sent(), After::kNothing);
  }

  Watcher watcher_;
  int64_t now_ = kStart;
  Watcher::News news_{.version = 7, .rules = "rules", .fresh = true};
};

TEST_F(WatcherTest, IsToldSomethingAtOnce) {
  watcher_.Begin({.revision = 5}, false);
  EXPECT_EQ(Next(), Turn::kSend);
}

TEST_F(WatcherTest, HearsNothingUntilTheHeartbeatIsDue) {
  CatchUp(5);
  now_ += Watcher::kHeartbeat - 1;
  EXPECT_EQ(Next(), Turn::kNothing);
  now_ += 1;
  EXPECT_EQ(Next(), Turn::kSend);
}

TEST_F(WatcherTest, HearsOfChangesAndOfOtherRulesAtOnce) {
  CatchUp(5);
  news_.version = 8;
  CatchUp(6);
  news_.rules = "other rules";
  CatchUp(6);
  EXPECT_EQ(Next(), Turn::kNothing);
}

TEST_F(WatcherTest, OneWriteIsUnderWayAtATime) {
  CatchUp(5);
  news_.version = 8;
  EXPECT_EQ(Next(), Turn::kSend);
  Send(UpTo(6));
  news_.version = 9;
  EXPECT_EQ(Next(), Turn::kNothing);
  EXPECT_EQ(watcher_.Sent(), After::kLookSoon);
  EXPECT_EQ(Next(), Turn::kSend);
}

// Under load: what comes while a message is under way is told in one, however much it is.
TEST_F(WatcherTest, WhatCameMeanwhileIsToldInOneMessage) {
  ChangeFeed feed;
  const auto commit = [&](int64_t revision) {
    const revocation::Change change{.revision = revision};
    feed.OnStep({.tags = {}, .changes = {&change, 1}, .revision = revision});
    news_.version = feed.version();
  };
  std::vector<int64_t> told;
  int messages = 0;
  const auto send = [&] {
    const ChangeFeed::Batch batch = feed.Read(watcher_.cursor(), 1000);
    for (const revocation::Change& change : batch.changes) told.push_back(change.revision);
    messages += Next() == Turn::kSend ? 1 : 0;
    Send(batch);
  };
  watcher_.Begin(feed.Now(), false);
  commit(1);
  send();
  for (int64_t revision = 2; revision <= 100; ++revision) {
    commit(revision);
    EXPECT_EQ(Next(), Turn::kNothing);
  }
  EXPECT_EQ(watcher_.Sent(), After::kLookSoon);
  send();
  EXPECT_EQ(watcher_.Sent(), After::kNothing);
  EXPECT_EQ(Next(), Turn::kNothing);
  EXPECT_EQ(messages, 2);
  ASSERT_EQ(told.size(), 100);
  for (size_t i = 0; i < told.size(); ++i) EXPECT_EQ(told[i], static_cast<int64_t>(i) + 1);
}

TEST_F(WatcherTest, WhatIsTooMuchForOneMessageGoesOnAtOnce) {
  EXPECT_EQ(Next(), Turn::kSend);
  Send(UpTo(1000, false));
  EXPECT_EQ(watcher_.Sent(), After::kSendMore);
  EXPECT_EQ(watcher_.cursor().revision, 1000);
  Send(UpTo(1500));
  EXPECT_EQ(watcher_.Sent(), After::kNothing);
}

TEST_F(WatcherTest, WhoDoesNotReadForTenSecondsIsCutOff) {
  EXPECT_EQ(Next(), Turn::kSend);
  Send(UpTo(5));
  now_ += Watcher::kMaxWrite - 1;
  EXPECT_EQ(Next(), Turn::kNothing);
  now_ += 1;
  EXPECT_EQ(Next(), Turn::kCutOff);
}

TEST_F(WatcherTest, APingIsAnsweredOnceAllBeforeItHasBeenTold) {
  watcher_.OnPing(3);
  EXPECT_EQ(Send(UpTo(1000, false)).ping, 0) << "more is to be told first";
  watcher_.Sent();
  EXPECT_EQ(Send(UpTo(1500)).ping, 3);
}

TEST_F(WatcherTest, AStoreThatMayBeBehindAnswersNoPingAndSendsNoHeartbeat) {
  watcher_.OnPing(1);
  CatchUp(5);
  news_.fresh = false;
  watcher_.OnPing(2);
  now_ += 10 * Watcher::kHeartbeat;
  EXPECT_EQ(Next(), Turn::kNothing);
  news_.version = 8;
  EXPECT_EQ(Next(), Turn::kSend) << "changes are told all the same";
  EXPECT_EQ(Send(UpTo(6)).ping, 1);
  watcher_.Sent();
  news_.fresh = true;
  now_ += Watcher::kHeartbeat;
  EXPECT_EQ(Next(), Turn::kSend);
  EXPECT_EQ(Send(UpTo(6)).ping, 2);
}

TEST_F(WatcherTest, IsToldOnceThatItFellBehind) {
  ChangeFeed::Batch batch = UpTo(9);
  batch.fell_behind = true;
  EXPECT_TRUE(Send(batch).fell_behind);
  watcher_.Sent();
  EXPECT_FALSE(Send(UpTo(9)).fell_behind);
}

}  // namespace
}  // namespace gatehouse::frontend
