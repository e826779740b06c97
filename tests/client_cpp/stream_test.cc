#include <gmock/gmock.h>

#include "tests/client_cpp/fakes.h"

namespace gatehouse::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using StreamTest = ClientTest;

TEST_F(StreamTest, BeginsFromNowAndPingsEachSecond) {
  Make();
  ASSERT_EQ(transport->streams.size(), 1U);
  EXPECT_FALSE(stream().sent.at(0).has_from_revision());
  EXPECT_EQ(stream().sent[0].ping(), 1);
  stream().Tell(News(10));
  time->Advance(kSecond - 1);
  EXPECT_EQ(stream().sent.size(), 1U);
  time->Advance(1);
  ASSERT_EQ(stream().sent.size(), 2U);
  EXPECT_EQ(stream().sent[1].ping(), 2);
}

TEST_F(StreamTest, AStreamThatBreaksIsResumedFromItsRevision) {
  MakeLive();
  stream().Tell(Change(12, 'b'));
  Ask(Allowed(12));
  stream().End(14);
  time->Advance(50 * kMillisecond);
  ASSERT_EQ(transport->streams.size(), 2U);
  EXPECT_EQ(stream().sent.at(0).from_revision(), 12);
  EXPECT_EQ(stream().sent[0].store_id(), "s");
  EXPECT_GT(stream().sent[0].ping(), 1);
  // Nothing was dropped, and the old stream's proof still counts.
  EXPECT_TRUE(Remembers());
  stream().Tell(Change(13, 'a'));
  EXPECT_FALSE(Remembers());
}

TEST_F(StreamTest, TheMemoryIsNotUsedAfterTheOldProofRanOutUntilTheNewStreamAnswers) {
  MakeLive();
  Ask(Allowed());
  for (int i = 0; i < 20; ++i) {
    stream().End(14);
    time->Advance(2 * kSecond);
  }
  EXPECT_FALSE(Remembers());
  v1::WatchResponse unproven = News(10);
  unproven.set_ping(0);
  stream().Tell(unproven);
  EXPECT_FALSE(Remembers());
}

TEST_F(StreamTest, ARepliedPingOfAnOldStreamIsNoProofOnTheNewOne) {
  MakeLive();
  Ask(Allowed());
  const v1::WatchResponse old = News(10);
  stream().End(14);
  time->Advance(3 * kSecond);
  stream().Tell(old);
  EXPECT_FALSE(Remembers());
}

TEST_F(StreamTest, WhatALateStreamSaysIsNotHeard) {
  MakeLive();
  Ask(Allowed());
  const auto late = transport->streams.back();
  late->End(14);
  late->events.message(Change(99, 'a').SerializeAsString());
  EXPECT_TRUE(Remembers());
}

TEST_F(StreamTest, ThePauseDoublesFromFiftyMillisecondsToTwoSecondsAndBeginsAnewAfterSuccess) {
  Make();
  for (const int64_t pause : {50, 100, 200, 400, 800, 1600, 2000, 2000}) {
    const size_t streams = transport->streams.size();
    stream().End(14);
    time->Advance(pause * kMillisecond - 1);
    EXPECT_EQ(transport->streams.size(), streams) << pause;
    time->Advance(1);
    EXPECT_EQ(transport->streams.size(), streams + 1) << pause;
  }
  stream().Tell(News(10));
  stream().End(14);
  const size_t streams = transport->streams.size();
  time->Advance(50 * kMillisecond);
  EXPECT_EQ(transport->streams.size(), streams + 1);
}

TEST_F(StreamTest, ThePauseIsChosenBetweenHalfAndAllOfIt) {
  Make();
  chance = 0;
  stream().End(14);
  time->Advance(25 * kMillisecond - 1);
  EXPECT_EQ(transport->streams.size(), 1U);
  time->Advance(1);
  EXPECT_EQ(transport->streams.size(), 2U);
}

TEST_F(StreamTest, AStreamThatIsRefusedForItsPlaceEmptiesTheMemoryAndBeginsFromNow) {
  for (const int code : {9, 8}) {
    MakeLive();
    Ask(Allowed());
    stream().End(code);
    EXPECT_FALSE(Remembers());
    time->Advance(50 * kMillisecond);
    EXPECT_FALSE(stream().sent.at(0).has_from_revision());
    stream().Tell(News(3));
    EXPECT_FALSE(Remembers());
    client.reset();
  }
}

TEST_F(StreamTest, OneThatMayNotWatchIsToldOnceAndTriesAgainAfterHalfAMinute) {
  for (const int code : {7, 12, 16}) {
    warnings.clear();
    Make();
    stream().End(code);
    time->Advance(27 * kSecond);
    EXPECT_EQ(transport->streams.size(), 1U);
    time->Advance(3 * kSecond);
    EXPECT_EQ(transport->streams.size(), 2U);
    stream().End(code);
    EXPECT_THAT(warnings,
                ElementsAre(HasSubstr(code == 12 ? "GATEHOUSE_TARGET" : "GATEHOUSE_TOKEN_FILE")));
    Ask(Allowed());
    EXPECT_FALSE(Remembers());
    client.reset();
  }
}

TEST_F(StreamTest, OneThatNobodyAnswersIsGivenUpForANewConnection) {
  MakeLive();
  time->Advance(4 * kSecond - 1);
  EXPECT_EQ(transport->renewed, 0);
  time->Advance(1);
  EXPECT_TRUE(transport->streams[0]->cancelled);
  EXPECT_EQ(transport->renewed, 1);
  time->Advance(50 * kMillisecond);
  EXPECT_EQ(transport->streams.size(), 2U);
}

TEST_F(StreamTest, AMessageThatCannotBeReadEndsTheStream) {
  MakeLive();
  const auto first = transport->streams.back();
  first->events.message("\x0a\x7fnonsense");
  EXPECT_TRUE(first->cancelled);
}

TEST_F(StreamTest, AShortStalenessPingsMoreOften) {
  Settings settings;
  settings.max_staleness = std::chrono::milliseconds(1200);
  MakeLive(settings);
  time->Advance(400 * kMillisecond);
  EXPECT_EQ(stream().sent.size(), 2U);
}

}  // namespace
}  // namespace gatehouse::client
