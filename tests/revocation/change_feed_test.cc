#include "server/revocation/change_feed.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace gatehouse::revocation {
namespace {

constexpr auto kAllOfThem = size_t{1'000'000};
constexpr auto kKept = static_cast<int64_t>(ChangeFeed::kChanges);

Tag TagOf(int64_t number) { return MakeTag(TagKind::kTokenId, "issuer", std::to_string(number)); }

class CountingFollower final : public ChangeFeed::Follower {
 public:
  void OnNews() override { ++news; }
  std::atomic<int> news = 0;
};

class ChangeFeedTest : public ::testing::Test {
 protected:
  void Load(int64_t revision) { feed_.OnStep({.revision = revision}); }
  // A step with the changes up to `revision`.
  void ChangeUpTo(int64_t revision) {
    std::vector<Change> changes;
    for (int64_t next = feed_.revision() + 1; next <= revision; ++next) {
      changes.push_back({.revision = next, .tag = TagOf(next), .reinstates = next % 7 == 0});
    }
    feed_.OnStep({.changes = changes, .revision = revision});
  }

  ChangeFeed feed_;
};

void ExpectFromTo(const std::vector<Change>& changes, int64_t first, int64_t last) {
  ASSERT_EQ(static_cast<int64_t>(changes.size()), last - first + 1);
  for (size_t i = 0; i < changes.size(); ++i) {
    const int64_t revision = first + static_cast<int64_t>(i);
    ASSERT_EQ(changes[i].revision, revision);
    ASSERT_EQ(changes[i].tag, TagOf(revision));
    ASSERT_EQ(changes[i].reinstates, revision % 7 == 0);
  }
}

TEST_F(ChangeFeedTest, TellsWhatCameAfterARevisionInOrder) {
  ChangeUpTo(1);
  ChangeUpTo(20);
  const ChangeFeed::Batch batch = feed_.Read(feed_.After(3), kAllOfThem);
  ExpectFromTo(batch.changes, 4, 20);
  EXPECT_TRUE(batch.complete);
  EXPECT_FALSE(batch.fell_behind);
  EXPECT_EQ(batch.next, feed_.Now());
}

TEST_F(ChangeFeedTest, ThereIsNothingBehindThePresent) {
  ChangeUpTo(5);
  const ChangeFeed::Batch batch = feed_.Read(feed_.Now(), kAllOfThem);
  EXPECT_TRUE(batch.changes.empty());
  EXPECT_TRUE(batch.complete);
  EXPECT_EQ(batch.next.revision, 5);
}

TEST_F(ChangeFeedTest, ALargeStepIsReadInParts) {
  ChangeUpTo(25);
  ChangeFeed::Batch batch = feed_.Read({}, 10);
  ExpectFromTo(batch.changes, 1, 10);
  EXPECT_FALSE(batch.complete);
  EXPECT_EQ(batch.next.revision, 10) << "no more than was told";
  batch = feed_.Read(batch.next, 15);
  ExpectFromTo(batch.changes, 11, 25);
  EXPECT_TRUE(batch.complete);
}

TEST_F(ChangeFeedTest, WhoIsAsFarBehindAsChangesAreKeptMissesNothing) {
  Load(100);
  ChangeUpTo(100 + 3);
  ChangeUpTo(100 + kKept + 3);
  const ChangeFeed::Batch batch = feed_.Read(feed_.After(103), kAllOfThem);
  EXPECT_FALSE(batch.fell_behind);
  ExpectFromTo(batch.changes, 104, 103 + kKept);
}

TEST_F(ChangeFeedTest, OneChangeFurtherBehindIsTooFar) {
  Load(100);
  ChangeUpTo(100 + kKept + 3);
  const ChangeFeed::Batch batch = feed_.Read(feed_.After(102), kAllOfThem);
  EXPECT_TRUE(batch.fell_behind);
  EXPECT_TRUE(batch.changes.empty());
  EXPECT_EQ(batch.next, feed_.Now());
}

TEST_F(ChangeFeedTest, WhatWasThereAtTheStartIsNotTold) {
  Load(40);
  Load(100);
  EXPECT_FALSE(feed_.Read(feed_.Now(), kAllOfThem).fell_behind);
  EXPECT_TRUE(feed_.Read(feed_.After(99), kAllOfThem).fell_behind);
}

TEST_F(ChangeFeedTest, WhoComesWithWhatWasThereAtTheStartMayHaveMissedAKey) {
  Load(100);
  EXPECT_TRUE(feed_.Read(feed_.After(100), kAllOfThem).fell_behind);
  ChangeUpTo(101);
  EXPECT_TRUE(feed_.Read(feed_.After(100), kAllOfThem).fell_behind);
  EXPECT_FALSE(feed_.Read(feed_.After(101), kAllOfThem).fell_behind);
}

TEST_F(ChangeFeedTest, WhoComesFromBeforeAKeyThatIsForgottenFellBehind) {
  ChangeUpTo(5);
  const Tag first = TagOf(-1);
  feed_.KeysGone({&first, 1});
  ChangeUpTo(6);
  EXPECT_FALSE(feed_.Read(feed_.After(5), kAllOfThem).fell_behind);
  std::vector<Tag> others;
  for (int64_t i = 0; i < static_cast<int64_t>(ChangeFeed::kKeys); ++i) others.push_back(TagOf(i));
  feed_.KeysGone(others);
  EXPECT_TRUE(feed_.Read(feed_.After(5), kAllOfThem).fell_behind);
  EXPECT_FALSE(feed_.Read(feed_.After(6), kAllOfThem).fell_behind);
}

TEST_F(ChangeFeedTest, WhatIsToldWithoutItsChangesIsToldAsTooFar) {
  ChangeUpTo(5);
  const ChangeFeed::Cursor before = feed_.Now();
  Load(9);
  EXPECT_TRUE(feed_.Read(before, kAllOfThem).fell_behind);
  const ChangeFeed::Cursor after = feed_.Now();
  ChangeUpTo(10);
  ExpectFromTo(feed_.Read(after, kAllOfThem).changes, 10, 10);
}

TEST_F(ChangeFeedTest, ACleanUpIsNoNews) {
  ChangeUpTo(5);
  const uint64_t version = feed_.version();
  CountingFollower follower;
  feed_.Add(follower);
  Load(5);
  EXPECT_EQ(feed_.version(), version);
  EXPECT_EQ(follower.news, 0);
}

TEST_F(ChangeFeedTest, AGoneKeyIsToldToWhoFollowsAndToWhoComesBack) {
  ChangeUpTo(5);
  const ChangeFeed::Cursor follower = feed_.Now();
  feed_.KeysGone({TagOf(-1)});
  ChangeUpTo(6);
  for (const ChangeFeed::Cursor& from : {follower, feed_.After(5)}) {
    const ChangeFeed::Batch batch = feed_.Read(from, kAllOfThem);
    ExpectFromTo(batch.changes, 6, 6);
    EXPECT_EQ(batch.gone_keys, std::vector<Tag>{TagOf(-1)});
  }
  EXPECT_TRUE(feed_.Read(feed_.After(6), kAllOfThem).gone_keys.empty());
}

TEST_F(ChangeFeedTest, TooManyGoneKeysAreTooFar) {
  const ChangeFeed::Cursor before = feed_.Now();
  feed_.KeysGone(std::vector<Tag>(ChangeFeed::kKeys, TagOf(1)));
  EXPECT_EQ(feed_.Read(before, kAllOfThem).gone_keys.size(), ChangeFeed::kKeys);
  feed_.KeysGone({TagOf(2)});
  EXPECT_TRUE(feed_.Read(before, kAllOfThem).fell_behind);
}

TEST_F(ChangeFeedTest, FollowersAreToldOfEachStepUntilTheyAreRemoved) {
  CountingFollower follower;
  feed_.Add(follower);
  ChangeUpTo(1);
  feed_.KeysGone({TagOf(-1)});
  feed_.Nudge();
  EXPECT_EQ(follower.news, 3);
  feed_.Remove(follower);
  ChangeUpTo(2);
  EXPECT_EQ(follower.news, 3);
}

TEST_F(ChangeFeedTest, WhoAwaitsARevisionIsCalledOnceWhenItComes) {
  Load(5);
  int now = 0;
  feed_.AwaitRevision(5, [&] { ++now; });
  EXPECT_EQ(now, 1);
  int seventh = 0;
  int eighth = 0;
  int forgotten = 0;
  feed_.AwaitRevision(7, [&] { ++seventh; });
  feed_.AwaitRevision(8, [&] { ++eighth; });
  feed_.Forget(feed_.AwaitRevision(7, [&] { ++forgotten; }));
  ChangeUpTo(6);
  EXPECT_EQ(seventh, 0);
  ChangeUpTo(7);
  ChangeUpTo(20);
  EXPECT_EQ(seventh, 1);
  EXPECT_EQ(eighth, 1);
  EXPECT_EQ(forgotten, 0);
}

TEST_F(ChangeFeedTest, NobodyWaitsOnceWaitsHaveEnded) {
  int called = 0;
  feed_.AwaitRevision(7, [&] { ++called; });
  feed_.EndWaits();
  EXPECT_EQ(called, 1);
  feed_.AwaitRevision(8, [&] { ++called; });
  EXPECT_EQ(called, 2);
  ChangeUpTo(10);
  EXPECT_EQ(called, 2);
}

TEST_F(ChangeFeedTest, ReadersWhoKeepUpMissNothingWhileOthersWrite) {
  constexpr int64_t kLast = 20'000;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([this] {
      ChangeFeed::Cursor cursor;
      int64_t expected = 1;
      while (cursor.revision < kLast) {
        const ChangeFeed::Batch batch = feed_.Read(cursor, 100);
        ASSERT_FALSE(batch.fell_behind);
        for (const Change& change : batch.changes) ASSERT_EQ(change.revision, expected++);
        cursor = batch.next;
        ASSERT_EQ(cursor.revision, expected - 1);
      }
    });
  }
  for (int64_t revision = 10; revision <= kLast; revision += 10) ChangeUpTo(revision);
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace gatehouse::revocation
